# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""flock-return: whose drain is cancelled, and when."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/flock_startd/files/flock-return"
#: The tools answer with what lies in files beside them; condor_drain leaves a trace.
TOOLS = {
    "condor_config_val": "echo p220.sips",
    "condor_status": 'case "$*" in *DrainReason*) cat "$HERE/drain" ;; *) cat "$HERE/lease" ;; esac',
    "condor_drain": 'echo "$*" >"$HERE/cancelled"',
    "systemctl": 'test -e "$HERE/active"',
}


class Node:
    """A node as flock-return sees it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "settings").write_text("FLOCK_HOSTNAME=f220.sips\nFLOCK_CGROUP_PARENT=flock.slice\nFLOCK_LEASE=900\n")
        self.since(1900)
        (directory / "flock.slice" / "container").mkdir(parents=True)
        self.write("lease", "undefined\n")
        for name, script in TOOLS.items():
            tool = directory / name
            tool.write_text(f"#!/bin/sh\n{script}\n")
            tool.chmod(0o755)

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def since(self, seconds: int) -> None:
        """Let it have been closed and empty for so long."""
        self.write("since", f"{int(time.time()) - seconds}\n")

    def drained(self, reason: str) -> None:
        self.write("drain", f"slot1@p220.sips {reason}\n" if reason else "")

    def runs(self, *processes: int) -> None:
        self.write("flock.slice/container/cgroup.procs", "".join(f"{process}\n" for process in processes))

    def cancelled(self, how: str = "tend") -> bool:
        environment = {
            "PATH": f"{self.directory}:/usr/bin:/bin",
            "HERE": str(self.directory),
            "SHEEPFOLD_STARTD": str(self.directory),
            "SHEEPFOLD_RUN": str(self.directory),
            "SHEEPFOLD_CGROUPS": str(self.directory),
        }
        answer = subprocess.run(
            ["sh", str(PROGRAM), how], env=environment, capture_output=True, text=True, timeout=30, check=True
        )
        assert answer.stderr == ""
        trace = self.directory / "cancelled"
        if trace.exists():
            assert trace.read_text() == "-cancel p220.sips\n"
        return trace.exists()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path)
    made.drained(f"shepherd/{int(time.time()) - 600}:flock")
    return made


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[int]:
    """Yield the id of a process that bears the name of HTCondor's starter."""
    program = tmp_path / "condor_starter"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "60"], env=dict(os.environ))
    time.sleep(0.1)
    yield process.pid
    process.terminate()
    process.wait()


def test_a_drain_whose_flocking_side_is_closed_and_empty_is_cancelled(node: Node) -> None:
    assert node.cancelled()


def test_module_startds_drain_is_cancelled_too(node: Node) -> None:
    node.drained(f"sheepfold/{int(time.time()) - 600}")
    assert node.cancelled()


@pytest.mark.parametrize("reason", ["", "defrag", "sheepfold/soon", "shepherd/1:maintenance", "kernel update/1"])
def test_everything_else_is_left_alone(node: Node, reason: str) -> None:
    node.drained(reason)
    assert not node.cancelled()


@pytest.mark.parametrize("seconds", [0, 1700, -100])
def test_there_are_two_leases_time_for_an_opening(node: Node, seconds: int) -> None:
    node.since(seconds)
    assert not node.cancelled()
    assert node.cancelled("now")


def test_the_time_begins_anew_when_it_was_opened_meanwhile(node: Node) -> None:
    node.write("lease", f"{int(time.time()) + 600}\n")
    assert not node.cancelled()
    node.write("lease", "undefined\n")
    assert not node.cancelled()
    assert abs(int((node.directory / "since").read_text()) - time.time()) < 30


@pytest.mark.parametrize(("ahead", "cancelled"), [(600, False), (-10, False), (-600, True)])
def test_a_lease_is_waited_for(node: Node, ahead: int, cancelled: bool) -> None:
    node.write("lease", f"{int(time.time()) + ahead}\n")
    assert node.cancelled() is cancelled


def test_without_the_containers_ad_only_a_missing_container_counts(node: Node) -> None:
    node.write("lease", "")
    node.write("active", "")
    assert not node.cancelled()
    (node.directory / "active").unlink()
    node.since(1900)
    assert node.cancelled()


def test_a_foreign_job_runs_to_its_end(node: Node, starter: int) -> None:
    node.runs(os.getpid(), starter)
    assert not node.cancelled()
    node.runs(os.getpid())
    node.since(1900)
    assert node.cancelled()


def test_check_mode_only_says_it(node: Node) -> None:
    assert not node.cancelled("say")
