# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container's inside, tried as a job's user by way of ``docker exec``: kernel interfaces, rights, files.

An image for jobs need not have an interpreter. What a shell cannot do, system calls, is done by a program made here:
a static executable of straight-line machine code, which makes one call after the other and writes down the results.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ..results.judge import FAILED, LEAK, PASS, REPORTED
from . import container

# Linux, x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
_SOCKET, _UNSHARE, _BPF, _IO_URING_SETUP, _KEYCTL, _PTRACE, _MOUNT, _GETUID = 41, 272, 321, 425, 250, 101, 165, 102
_AF_INET, _AF_PACKET, _AF_ALG, _AF_VSOCK, _AF_NETLINK = 2, 17, 38, 40, 16
_STREAM, _DGRAM, _RAW = 1, 2, 3
_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_BASE = 0x400000


@dataclass(frozen=True)
class SyscallProbe:
    """A system call that has to be denied, or has to work."""

    name: str
    number: int
    arguments: tuple[int, ...]
    probe: str = "inside"
    works: bool = False


CALLS = (
    SyscallProbe("TCP socket (control)", _SOCKET, (_AF_INET, _STREAM, 0), works=True),
    SyscallProbe("raw socket", _SOCKET, (_AF_INET, _RAW, 1)),
    SyscallProbe("ICMP datagram socket", _SOCKET, (_AF_INET, _DGRAM, 1)),
    SyscallProbe("packet socket", _SOCKET, (_AF_PACKET, _RAW, 0)),
    SyscallProbe("vsock socket", _SOCKET, (_AF_VSOCK, _STREAM, 0)),
    SyscallProbe("alg socket", _SOCKET, (_AF_ALG, 5, 0)),
    SyscallProbe("unshare user namespace", _UNSHARE, (_NEWUSER,)),
    SyscallProbe("unshare network namespace", _UNSHARE, (_NEWNET,)),
    SyscallProbe("bpf", _BPF, (0, 0, 0)),
    SyscallProbe("io_uring", _IO_URING_SETUP, (1, 0)),
    SyscallProbe("keyctl", _KEYCTL, (0, 0)),
    SyscallProbe("mount", _MOUNT, (0, 0, 0, 0, 0)),
)
# A call that was refused for what it is ends so; another error means that it was listened to.
_DENIED = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT}

_REGISTERS = (b"\x48\xbf", b"\x48\xbe", b"\x48\xba", b"\x49\xba", b"\x49\xb8", b"\x49\xb9")  # rdi rsi rdx r10 r8 r9


def _syscall(number: int, arguments: Sequence[int]) -> bytes:
    """Return machine code that loads the registers and calls the kernel (System V ABI, x86-64)."""
    loads = b"".join(register + struct.pack("<Q", value) for register, value in zip(_REGISTERS, arguments))
    return loads + b"\xb8" + struct.pack("<I", number) + b"\x0f\x05"


def program(calls: Sequence[SyscallProbe]) -> bytes:
    """Return an executable that writes the result of each call, 8 bytes little-endian, to standard output."""
    head = 64 + 56
    code = b"\x48\x81\xec" + struct.pack("<I", 8 * len(calls) + 64)  # sub rsp: room for the results
    for index, call in enumerate(calls):
        code += _syscall(call.number, call.arguments)
        code += b"\x48\x89\x84\x24" + struct.pack("<I", 8 * index)  # mov [rsp + 8 * index], rax
    code += b"\x48\x89\xe6"  # mov rsi, rsp
    code += b"\x48\xba" + struct.pack("<Q", 8 * len(calls))  # mov rdx, length
    code += b"\xbf\x01\0\0\0\xb8\x01\0\0\0\x0f\x05"  # write(1, rsi, rdx)
    code += b"\xbf\0\0\0\0\xb8\x3c\0\0\0\x0f\x05"  # exit(0)
    size = head + len(code)
    elf = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    # File header, and one segment: everything, to be read and run.
    elf += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, _BASE + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return elf + code


# Directories that a job can write to and run a program from.
_SCRIPT = r"""
for directory in /tmp /var/tmp /dev/shm /var/lib/condor/execute; do
  file=$directory/.sheepfold-verify-$$
  if printf '%b' "$PROGRAM" > "$file" 2>/dev/null && chmod 700 "$file" && "$file" > /dev/null 2>&1; then
    printf 'calls '; "$file" | od -An -v -t d8 | tr -s '\n ' ' '; echo
    rm -f "$file"; break
  fi
  rm -f "$file" 2>/dev/null
done
while read -r name value; do
  case $name in CapInh:|CapPrm:|CapEff:|CapBnd:|CapAmb:|NoNewPrivs:|Seccomp:) echo "$name $value" ;; esac
done < /proc/self/status
answer() { if [ "$1" -eq 0 ]; then echo "did $2"; else echo "denied $2"; fi; }
( : > /sheepfold-verify ) 2>/dev/null; answer $? write-root
( : > /etc/sheepfold-verify ) 2>/dev/null; answer $? write-etc
can_read() { for file; do if [ -r "$file" ]; then return 0; fi; done; return 1; }
can_read /etc/condor/tokens.d/* /etc/condor/passwords.d/*; answer $? read-token
ls /etc/condor/tokens.d /etc/condor/passwords.d > /dev/null 2>&1; answer $? list-tokens
kill -0 1 2>/dev/null; answer $? signal-master
( : > /proc/sys/kernel/hostname ) 2>/dev/null; answer $? write-sysctl
[ -e /var/run/docker.sock ] || [ -e /run/flock-docker ]; answer $? see-docker-socket
( : > /var/lib/condor/history/sheepfold-verify ) 2>/dev/null; answer $? write-history
ls / > /dev/null 2>&1; answer $? list-root
kill -0 $$ 2>/dev/null; answer $? signal-self
"""

_WORDS = {
    "write-root": "write to /",
    "write-etc": "write to /etc",
    "read-token": "read the pool's token or signing key",
    "list-tokens": "list the tokens",
    "signal-master": "signal condor_master",
    "write-sysctl": "write a sysctl",
    "see-docker-socket": "see a Docker socket",
    "write-history": "write the startd's history",
}
# What has to work, so that the like of it being denied means something.
_CONTROLS = {"list-root": "list / (control)", "signal-self": "signal itself (control)"}
# CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID
BOUNDING = 0xE3


@dataclass(frozen=True)
class Finding:
    """One thing tried inside: probe, what, result as of a verdict, and why."""

    probe: str
    what: str
    result: str
    why: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it as what JSON can hold."""
        return dict(vars(self))


def findings(output: str) -> list[Finding]:
    """Read what the script printed. Pure."""
    found: list[Finding] = []
    calls: list[int] = []
    for line in output.splitlines():
        word, _, rest = line.partition(" ")
        if word == "calls":
            calls = [int(value) for value in rest.split()]
        elif word in ("did", "denied") and rest in _WORDS:
            found.append(Finding("rights", _WORDS[rest], LEAK if word == "did" else PASS, "it can" if word == "did" else ""))
        elif word in ("did", "denied") and rest in _CONTROLS:
            found.append(Finding("rights", _CONTROLS[rest], PASS if word == "did" else FAILED))
        elif word.endswith(":"):
            found += _status(word[:-1], rest.strip())
    if len(calls) == len(CALLS):
        found += [_call(call, result) for call, result in zip(CALLS, calls)]
    else:
        found.append(Finding("inside", "system calls", FAILED, "no directory to run a program from"))
    if not any(item.what.startswith("Seccomp") for item in found):
        found.append(Finding("rights", "rights of a job's process", FAILED, "could not be read"))
    return found


def _call(call: SyscallProbe, result: int) -> Finding:
    name = errno.errorcode.get(-result, str(result)) if result < 0 else "it works"
    if call.works:
        return Finding(call.probe, call.name, PASS if result >= 0 else FAILED, "" if result >= 0 else name)
    denied = result < 0 and -result in _DENIED
    return Finding(call.probe, call.name, PASS if denied else LEAK, "" if denied else name)


def _status(name: str, value: str) -> list[Finding]:
    if name == "NoNewPrivs":
        good, expected = value == "1", "1"
    elif name == "Seccomp":
        good, expected = value == "2", "2"
    elif name == "CapBnd":
        good, expected = int(value, 16) & ~BOUNDING == 0, f"within {BOUNDING:#x}"
    else:
        good, expected = int(value, 16) == 0, "0"
    return [Finding("rights", f"{name} {value}", PASS if good else LEAK, "" if good else f"expected {expected}")]


def look(name: str, socket: str, user: str) -> list[Finding]:
    """Try everything in a running container as one of its users."""
    if platform.machine() != "x86_64":
        return [Finding("inside", "system calls", REPORTED, f"not tried on {platform.machine()}")]
    octal = "".join(f"\\0{byte:03o}" for byte in program(CALLS))
    done = container.docker(
        socket, "exec", "--interactive", "--user", user, "--env", f"PROGRAM={octal}", name, "/bin/sh", "-s", given=_SCRIPT
    )
    if done.returncode and not done.stdout:
        why = done.stderr.strip().splitlines()[-1:] or [os.strerror(errno.EIO)]
        return [Finding("inside", "run as a job's user", FAILED, why[0])]
    return findings(done.stdout)
