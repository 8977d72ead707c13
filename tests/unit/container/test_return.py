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
    "condor_status": 'test ! -e "$HERE/silent" && case "$*" in *DrainReason*) cat "$HERE/drain" ;; *) cat "$HERE/lease" ;; esac',
    "condor_drain": """
echo drain >>"$HERE/done"
test ! -e "$HERE/comes" || mv "$HERE/comes" "$HERE/flock.slice/container/cgroup.procs"
test ! -e "$HERE/refuses" && echo "$*" >"$HERE/cancelled"
""",
    "systemctl": 'test "$*" = "is-active --quiet flock-startd.service" && test -e "$HERE/active"',
    "date": 'if [ -e "$HERE/now" ]; then cat "$HERE/now"; else exec /bin/date "$@"; fi',
    # The kernel's part: whoever is in a control group that is killed is gone soon after.
    "sleep": 'test ! -s "$HERE/flock.slice/cgroup.kill" || : >"$HERE/flock.slice/container/cgroup.procs"',
}
LEASE, RETIREMENT = 900, 86400


class Node:
    """A node as flock-return sees it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "settings").write_text("FLOCK_HOSTNAME=f220.sips\nFLOCK_CGROUP_PARENT=flock.slice\n")
        with (directory / "settings").open("a") as settings:
            settings.write(f"FLOCK_LEASE={LEASE}\nFLOCK_RETIREMENT={RETIREMENT}\n")
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
        """Let it have been closed and empty for so long, and looked at a minute ago."""
        self.write("since", f"{int(time.time()) - seconds} {int(time.time()) - 60}\n")

    def forget(self) -> None:
        (self.directory / "since").unlink()

    def drained(self, reason: str, recall: str = "undefined") -> None:
        self.write("drain", f"slot1@p220.sips {recall} {reason}\n" if reason else "")

    def runs(self, *processes: int) -> None:
        self.write("flock.slice/container/cgroup.procs", "".join(f"{process}\n" for process in processes))

    def attempts(self) -> int:
        """How often condor_drain was called."""
        trace = self.directory / "done"
        return len(trace.read_text().splitlines()) if trace.exists() else 0

    def look(self, how: str = "tend") -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.directory}:/usr/bin:/bin",
            "HERE": str(self.directory),
            "SHEEPFOLD_STARTD": str(self.directory),
            "SHEEPFOLD_RUN": str(self.directory),
            "SHEEPFOLD_CGROUPS": str(self.directory),
        }
        return subprocess.run(["sh", str(PROGRAM), how], env=environment, capture_output=True, text=True, timeout=30, check=False)

    def cancelled(self, how: str = "tend", fails: str = "") -> bool:
        answer = self.look(how)
        assert (answer.returncode, fails in answer.stderr) == (1 if fails else 0, True), answer
        assert bool(answer.stderr) == bool(fails), answer
        trace = self.directory / "cancelled"
        if trace.exists():
            assert trace.read_text() == "-cancel p220.sips\n"
        return trace.exists()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path)
    made.drained(f"shepherd/{int(time.time()) - 600}:flock")
    return made


def named(directory: Path, name: str) -> Iterator[int]:
    """Yield the id of a process that bears a name of HTCondor's."""
    program = directory / name
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "60"], env=dict(os.environ))
    while Path(f"/proc/{process.pid}/comm").read_text() != f"{name}\n":
        time.sleep(0.01)
    yield process.pid
    process.terminate()
    process.wait()


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[int]:
    yield from named(tmp_path, "condor_starter")


@pytest.fixture
def startd(tmp_path: Path) -> Iterator[int]:
    yield from named(tmp_path, "condor_startd")


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


def test_time_in_which_nobody_looked_does_not_count(node: Node) -> None:
    """After an hour's absence the collector may know the regular startd again before the container's copy is there."""
    node.forget()
    begin = int(time.time())

    def look(after: int) -> bool:
        node.write("now", f"{begin + after}\n")
        return node.cancelled()

    node.write("lease", "")
    assert not look(0)
    node.write("silent", "")
    assert not any(look(after) for after in (60, 120, 3540))
    (node.directory / "silent").unlink()
    assert not look(3600)
    # A look or two that fail cost nothing.
    back = [after for after in range(3600, 3600 + 2 * LEASE + 1, 240) if look(after)]
    assert back == [] and look(3600 + 2 * LEASE)


def test_the_time_begins_anew_when_it_was_opened_meanwhile(node: Node) -> None:
    node.write("lease", f"{int(time.time()) + 600}\n")
    assert not node.cancelled()
    node.write("lease", "undefined\n")
    assert not node.cancelled()
    first, last = map(int, (node.directory / "since").read_text().split())
    assert first == last and abs(first - time.time()) < 30


@pytest.mark.parametrize(("ahead", "cancelled"), [(600, False), (-10, False), (-600, True)])
def test_a_lease_is_waited_for(node: Node, ahead: int, cancelled: bool) -> None:
    node.write("lease", f"{int(time.time()) + ahead}\n")
    assert node.cancelled() is cancelled


#: What a container may say of its lease, and for how long that is waited for with a job there and without one.
CLAIMS = {
    "": (2 * LEASE, 3 * LEASE),
    str(2**62): (2 * LEASE, 3 * LEASE),
    "9" * 400: (2 * LEASE, 3 * LEASE),
    "1e300": (2 * LEASE, 3 * LEASE),
    "-5": (2 * LEASE, 3 * LEASE),
    "error": (2 * LEASE, 3 * LEASE),
    "[a=1]": (2 * LEASE, 3 * LEASE),
    "$(touch x)": (2 * LEASE, 3 * LEASE),
    "undefined": (2 * LEASE, RETIREMENT),
    "0": (2 * LEASE, RETIREMENT),
}


@pytest.mark.parametrize("said", CLAIMS)
def test_no_word_of_a_container_keeps_the_node(node: Node, startd: int, starter: int, said: str) -> None:
    for with_job, seconds in enumerate(CLAIMS[said]):
        node.runs(startd, *([starter] if with_job else []))
        node.write("lease", f"{said}\n" if said else "")
        node.since(seconds - 60)
        assert not node.cancelled()
        node.since(seconds + 60)
        assert node.cancelled()
        (node.directory / "cancelled").unlink()


def test_the_node_comes_back_at_once_when_it_is_recalled(node: Node, starter: int) -> None:
    now = int(time.time())
    node.runs(starter)
    node.write("lease", f"{now + 600}\n")
    for recall in (now - 700, now + 3600, -1, "undefined", "x"):
        # Of an earlier drain, or nonsense.
        node.drained(f"shepherd/{now - 600}:flock", str(recall))
        assert not node.cancelled()
    node.drained(f"shepherd/{now - 600}:flock", str(now - 30))
    assert node.cancelled()


def test_the_container_ends_before_the_drain_is_cancelled(node: Node, startd: int) -> None:
    node.runs(startd)
    assert node.cancelled()
    assert (node.directory / "flock.slice/cgroup.kill").read_text() == "1\n"
    assert (node.directory / "flock.slice/container/cgroup.procs").read_text() == ""


def test_what_was_opened_meanwhile_ends_too(node: Node, startd: int) -> None:
    node.runs(startd)
    (node.directory / "comes").write_text(f"{startd}\n")
    assert node.cancelled()
    assert (node.directory / "flock.slice/container/cgroup.procs").read_text() == ""
    assert not (node.directory / "comes").exists()


def test_the_drain_stays_where_the_container_cannot_be_ended(node: Node, startd: int) -> None:
    node.runs(startd)
    (node.directory / "sleep").write_text("#!/bin/sh\n")
    assert not node.cancelled(fails="the container cannot be ended")


def test_nothing_is_forgotten_while_the_collector_is_silent(node: Node) -> None:
    (node.directory / "silent").touch()
    assert not node.cancelled()
    (node.directory / "silent").unlink()
    assert node.cancelled()


def test_check_mode_only_says_it(node: Node) -> None:
    assert not node.cancelled("say")


# What is not certain is not open


def test_a_container_that_runs_elsewhere_keeps_the_drain(node: Node) -> None:
    node.write("active", "")
    (node.directory / "flock.slice" / "container" / "cgroup.procs").unlink(missing_ok=True)
    (node.directory / "flock.slice" / "container").rmdir()
    assert not node.cancelled("now", fails="the container runs, but not in")
    # The control: one that does not run is no obstacle.
    (node.directory / "active").unlink()
    assert node.cancelled("now")


def test_a_sandbox_that_shows_no_startd_seems_to_run_jobs(node: Node) -> None:
    other = subprocess.Popen(["/bin/sleep", "60"])
    try:
        node.runs(other.pid)
        assert not node.cancelled()
    finally:
        other.kill()
        other.wait()


def test_a_drain_that_cannot_be_cancelled_is_tried_more_and_more_seldom(node: Node) -> None:
    node.write("refuses", "")
    begin = int(time.time())
    tried = []
    for minute in range(60):
        node.write("now", f"{begin + 60 * minute}\n")
        node.write("since", f"{begin - 2000} {begin + 60 * minute}\n")
        before = node.attempts()
        node.look()
        tried += [minute] if node.attempts() > before else []
    assert tried == [0, 1, 3, 7, 15, 31]
    (node.directory / "refuses").unlink()
    node.write("now", f"{begin + 63 * 60}\n")
    node.write("since", f"{begin - 2000} {begin + 63 * 60}\n")
    assert node.cancelled()
    assert not (node.directory / "failed").exists()
