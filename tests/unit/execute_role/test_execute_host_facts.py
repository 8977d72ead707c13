"""Module execute_host_facts: how programs are linked, what keeps the site's from being used, sandboxes, the service."""

from __future__ import annotations

import os
import shutil
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.modules import execute_host_facts as facts


def _elf(*kinds: int) -> bytes:
    """The beginning of a 64-bit program with program headers of these kinds (elf(5))."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHLQQQLHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, len(kinds), 0, 0, 0)
    return header + b"".join(struct.pack("<LL", kind, 0) + bytes(48) for kind in kinds)


@pytest.mark.parametrize(
    ("content", "linked"),
    [
        (_elf(1, 1, 2), "static"),
        (_elf(6, 3, 1), "dynamic"),
        (b"#!/bin/sh\n" + bytes(64), "dynamic"),
        (b"", "dynamic"),
    ],
)
def test_a_static_program_names_no_interpreter(tmp_path: Path, content: bytes, linked: str) -> None:
    program = tmp_path / "program"
    program.write_bytes(content)
    assert facts.linking(str(program)) == linked


def test_real_programs() -> None:
    assert facts.linking(os.path.realpath(sys.executable)) == "dynamic"
    assert facts.linking("/nonexistent/busybox") == "missing"


def test_the_helpers_privilege(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.touch(0o755)
    assert facts.privilege([str(one), str(other)]) == ""
    for path in (one, other):
        path.chmod(0o4755)
    assert facts.privilege([str(one), str(other)]) == "mode"
    assert facts.privilege([str(one), ""]) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's programs are above suspicion")
@pytest.mark.parametrize(
    ("mode", "directory_mode", "owner", "said"),
    [
        (0o755, 0o755, 0, ""),
        (0o755, 0o755, 77, ""),
        (0o750, 0o755, 0, "cannot be executed by everybody"),
        (0o757, 0o755, 0, "could be changed by others than root"),
        (0o755, 0o775, 0, "could be changed by others than root"),
        (0o755, 0o1777, 0, ""),
        (0o755, 0o755, 1000, "could be changed by others than root"),
    ],
)
def test_what_is_wrong_with_a_program_of_the_sites(mode: int, directory_mode: int, owner: int, said: str) -> None:
    # Not below a directory that somebody else owns, as the usual one may be.
    directory = Path("/root/.sheepfold-test-program")
    directory.mkdir()
    try:
        program = directory / "program"
        program.touch()
        program.chmod(mode)
        os.chown(program, owner, owner)
        directory.chmod(directory_mode)
        assert facts.wrong_with(str(program), 77).startswith(said)
        assert bool(facts.wrong_with(str(program), 77)) == bool(said)
    finally:
        shutil.rmtree(directory)


def test_no_program_at_all(tmp_path: Path) -> None:
    assert facts.wrong_with(str(tmp_path), 0) == "is no file"


def test_sandboxes_that_accounts_cannot_reach(tmp_path: Path) -> None:
    execute = tmp_path / "condor" / "execute"
    execute.mkdir(parents=True)
    # pytest's own directories are closed; how many there are depends on its number of workers.
    basetemp = Path(tempfile.gettempdir())
    for place in (execute, *(parent for parent in execute.parents if basetemp in parent.parents)):
        place.chmod(0o755)
    assert facts.sandboxes(str(execute)) == {"uid": os.getuid(), "mode": "0755", "closed": ""}
    execute.parent.chmod(0o750)
    assert facts.sandboxes(str(execute))["closed"] == str(execute.parent)
    assert facts.sandboxes("") == {}
    assert facts.sandboxes(str(tmp_path / "none")) == {}


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A service whose main process is this one, with a control group of its own."""
    group = tmp_path / "system.slice" / "condor.service"
    (group / "leaf").mkdir(parents=True)
    monkeypatch.setattr(facts, "CGROUP", tmp_path)
    shown = f"MainPID={os.getpid()}\nControlGroup=/system.slice/condor.service\n"
    monkeypatch.setattr(facts.systemd, "ask", lambda *_words: shown)
    return group


def test_the_service_and_its_jobs(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = facts.read
    names = {"/proc/11/comm": "condor_startd", "/proc/12/comm": "condor_starter", "/proc/13/comm": "condor_starter"}
    monkeypatch.setattr(facts, "read", lambda path: names.get(path) or read(path))
    (running / "cgroup.procs").write_text("")
    (running / "leaf" / "cgroup.procs").write_text("11\n12\n13\n")
    found = facts.service("condor.service")
    assert found == {"uid": os.getuid(), "mark": "", "starters": 2}

    assert facts.emptied("condor.service", 0) == found


@pytest.mark.parametrize(
    ("starters", "wait", "left", "seconds"),
    [
        # A daemon that has just been told to take none may still start one.
        ([0, 0, 1, 1, 0], 60, 0, 3 + facts.SETTLE_S),
        ([1, 1, 0], 60, 0, 1 + facts.SETTLE_S),
        ([0], 60, 0, facts.SETTLE_S),
        ([1], 5, 1, 5),
        # Empty at the last moment: whether it is so has to be seen all the same.
        ([1, 1, 0], 2, 0, 1 + facts.SETTLE_S),
        ([1, 1, 0, 1], 2, 1, 3),
    ],
)
def test_it_waits_for_jobs(monkeypatch: pytest.MonkeyPatch, starters: list[int], wait: int, left: int, seconds: float) -> None:
    clock = [0.0]
    monkeypatch.setattr(facts.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(facts.time, "sleep", lambda pause: clock.__setitem__(0, clock[0] + pause))
    monkeypatch.setattr(facts, "service", lambda _unit: {"starters": starters[min(int(clock[0]), len(starters) - 1)]})
    assert facts.emptied("condor.service", wait)["starters"] == left
    assert clock[0] == seconds


def test_a_service_that_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts.systemd, "ask", lambda *_words: "MainPID=0\nControlGroup=\n")
    assert facts.service("condor.service") == {"uid": -1, "mark": "", "starters": 0}


def test_all_facts_are_there_and_nothing_changes(run_module: Any) -> None:
    answer = run_module(facts.main, accounts=["root", "nobody-at-all"], first_id=0, count=1)
    assert answer["changed"] is False
    found = answer["ansible_facts"]["execute_host"]
    assert list(found["accounts"]) == ["root"]
    assert found["ids"] == {"0": "root"}
    assert set(found) == {
        "accounts",
        "apparmor_restricts",
        "busybox",
        "cgroup_version",
        "commands",
        "cpus",
        "daemon",
        "directories",
        "execute",
        "exposed",
        "helpers",
        "ids",
        "privilege",
        "service",
        "subordinate",
        "systemd_version",
        "user_namespaces",
    }
