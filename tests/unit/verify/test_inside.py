# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read from the container's inside."""

from __future__ import annotations

import errno
import platform
import struct
import subprocess
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.host import syscall_probe
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.judge import FAILED, LEAK, PASS

GOOD_CALLS = "calls " + " ".join(["3", *["-1"] * (len(syscall_probe.CALLS) - 1)])
GOOD = f"""{GOOD_CALLS}
CapInh: 0000000000000000
CapPrm: 0000000000000000
CapEff: 0000000000000000
CapBnd: 00000000000000e3
CapAmb: 0000000000000000
NoNewPrivs: 1
Seccomp: 2
denied write-root
denied write-etc
denied read-token
denied list-tokens
denied signal-master
denied write-sysctl
denied see-docker-socket
denied write-history
did list-root
did signal-self
"""


def results(output: str) -> dict[str, str]:
    return {finding.what: finding.result for finding in syscall_probe.findings(output)}


def test_all_is_well() -> None:
    found = results(GOOD)
    assert set(found.values()) == {PASS}
    assert len(found) == len(syscall_probe.CALLS) + 7 + 8 + 2


@pytest.mark.parametrize(
    ("before", "after", "what", "result"),
    [
        ("NoNewPrivs: 1", "NoNewPrivs: 0", "NoNewPrivs 0", LEAK),
        ("Seccomp: 2", "Seccomp: 0", "Seccomp 0", LEAK),
        ("CapBnd: 00000000000000e3", "CapBnd: 00000000000020e3", "CapBnd 00000000000020e3", LEAK),
        ("CapBnd: 00000000000000e3", "CapBnd: 0000000000000000", "CapBnd 0000000000000000", PASS),
        ("CapEff: 0000000000000000", "CapEff: 0000000000000020", "CapEff 0000000000000020", LEAK),
        ("denied read-token", "did read-token", "read the pool's token or signing key", LEAK),
        ("did list-root", "denied list-root", "list / (control)", FAILED),
        ("calls 3", "calls -1", "TCP socket (control)", FAILED),
        (GOOD_CALLS, "", "system calls", FAILED),
        ("Seccomp: 2\n", "", "rights of a job's process", FAILED),
    ],
)
def test_what_is_wrong_is_told(before: str, after: str, what: str, result: str) -> None:
    assert before in GOOD
    assert results(GOOD.replace(before, after))[what] == result


@pytest.mark.parametrize("number", range(1, len(syscall_probe.CALLS)))
@pytest.mark.parametrize(("value", "result"), [(0, LEAK), (-errno.EINVAL, LEAK), (-errno.EFAULT, LEAK), (-errno.ENOSYS, PASS)])
def test_each_call(number: int, value: int, result: str) -> None:
    values = [3] + [-errno.EPERM] * (len(syscall_probe.CALLS) - 1)
    values[number] = value
    assert results(GOOD.replace(GOOD_CALLS, "calls " + " ".join(map(str, values))))[syscall_probe.CALLS[number].name] == result


@pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code for x86-64")
def test_the_program_makes_the_calls(tmp_path: Path) -> None:
    calls = [
        syscall_probe.SyscallProbe("getpid", 39, ()),
        syscall_probe.SyscallProbe("close of no file", 3, (999,)),
        syscall_probe.SyscallProbe("no such call", 9999, (1, 2, 3)),
    ]
    path = tmp_path / "program"
    path.write_bytes(syscall_probe.program(calls))
    path.chmod(0o700)
    with subprocess.Popen([path], stdout=subprocess.PIPE) as process:
        output = process.communicate()[0]
    assert struct.unpack("<3q", output) == (process.pid, -errno.EBADF, -errno.ENOSYS)
