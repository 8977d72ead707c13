"""Module pool_accounts: what it does to the host's accounts and files, and that it does nothing to others'."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.accounts import subordinate
from ansible_collections.sheepfold.htcondor.plugins.modules import pool_accounts

FIRST = 2100000000
WANTED = {"prefix": "pool", "first_id": FIRST, "count": 2, "owner": "condor"}


@pytest.mark.parametrize(
    ("before", "count", "after"),
    [
        ("", 4, "condor:70000:4\n"),
        ("alice:100000:65536\n", 4, "alice:100000:65536\ncondor:70000:4\n"),
        ("condor:70000:4\nalice:100000:65536", 8, "condor:70000:8\nalice:100000:65536\n"),
        ("condor:70000:4\nbob:1:1\ncondor:70000:9\n", 4, "condor:70000:4\nbob:1:1\n"),
        # Another user's range, and another one of the owner's, are not ours.
        ("# a note\nbob:70000:4\ncondor:100000:65536\n", 4, "# a note\nbob:70000:4\ncondor:100000:65536\ncondor:70000:4\n"),
        ("alice:100000:65536\ncondor:70000:4\n", 0, "alice:100000:65536\n"),
        ("nonsense\n\n", 0, "nonsense\n\n"),
    ],
)
def test_one_line_among_others(before: str, count: int, after: str) -> None:
    assert subordinate.with_range(before, "condor", 70000, count) == after
    assert subordinate.with_range(after, "condor", 70000, count) == after


@pytest.mark.parametrize(
    ("first", "count", "overlaps"),
    [(90, 10, False), (90, 11, True), (100, 1, True), (109, 5, True), (110, 5, False), (50, 100, True), (104, 2, True)],
)
def test_ranges_overlap(first: int, count: int, overlaps: bool) -> None:
    one, other = subordinate.Range("a", 100, 10), subordinate.Range("b", first, count)
    assert one.overlaps(other) is overlaps
    assert other.overlaps(one) is overlaps


class Machine:
    """Accounts, groups and files of a machine that exists in a directory; the tools work on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.users: dict[str, tuple[int, str]] = {"root": (0, "root"), "pool09": (1009, "Ada Pool")}
        self.groups: dict[str, int] = {"root": 0, "pool09": 1009}
        self.commands: list[list[str]] = []
        self.tools = {"crontab", "at"}

    def getpwall(self) -> list[pwd.struct_passwd]:
        return [pwd.struct_passwd((name, "x", uid, uid, gecos, "/", "/x")) for name, (uid, gecos) in self.users.items()]

    def getgrnam(self, name: str) -> grp.struct_group:
        return grp.struct_group((name, "x", self.groups[name], []))

    def run(self, command: list[str]) -> None:
        self.commands.append(command)
        tool, name = command[0], command[-1]
        option = dict(zip(command, command[1:]))
        if tool == "groupadd":
            self.groups[name] = int(option["--gid"])
        elif tool == "useradd":
            self.users[name] = (int(option["--uid"]), option["--comment"])
        elif tool == "userdel":
            del self.users[name]
        elif tool == "groupdel":
            del self.groups[name]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    etc = tmp_path / "etc"
    etc.mkdir()
    monkeypatch.setattr(pool_accounts, "Path", lambda path: tmp_path / str(path).lstrip("/"))
    monkeypatch.setattr(pool_accounts.pwd, "getpwall", made.getpwall)
    monkeypatch.setattr(pool_accounts.grp, "getgrnam", made.getgrnam)
    basic = pool_accounts.AnsibleModule
    monkeypatch.setattr(basic, "run_command", lambda _self, command, check_rc: made.run(command))
    monkeypatch.setattr(basic, "get_bin_path", lambda _self, tool: f"/usr/bin/{tool}" if tool in made.tools else None)
    (etc / "debian_version").write_text("13\n")
    (etc / "subuid").write_text("alice:100000:65536\n")
    (etc / "at.deny").write_text("www-data\n")
    return made


def _text(machine: Machine, name: str) -> str | None:
    path = machine.root / "etc" / name
    return path.read_text() if path.exists() else None


def test_there_and_back(run_module: Any, machine: Machine) -> None:
    done = run_module(pool_accounts.main, **WANTED)
    assert done["changed"] is True
    assert done["added"] == ["pool01", "pool02"]
    assert machine.users["pool02"] == (FIRST + 1, "Sheepfold pool account")
    made = next(command for command in machine.commands if command[0] == "useradd")
    assert {"--no-create-home", "--no-log-init", "/usr/sbin/nologin", "/var/lib/sheepfold/empty"} < set(made)
    assert _text(machine, "subuid") == f"alice:100000:65536\ncondor:{FIRST}:2\n"
    assert _text(machine, "subgid") == f"condor:{FIRST}:2\n"
    assert _text(machine, "at.deny") == "www-data\npool01\npool02\n"
    assert (_text(machine, "cron.deny") or "").splitlines()[1:] == ["pool01", "pool02"]

    machine.commands.clear()
    again = run_module(pool_accounts.main, **WANTED)
    assert (again["changed"], again["files"], machine.commands) == (False, [], [])

    fewer = run_module(pool_accounts.main, **{**WANTED, "count": 1})
    assert fewer["removed"] == ["pool02"]
    assert _text(machine, "subuid") == f"alice:100000:65536\ncondor:{FIRST}:1\n"

    gone = run_module(pool_accounts.main, **{**WANTED, "count": 0})
    assert gone["removed"] == ["pool01"]
    # Somebody whose name only looks like one of ours stays.
    assert set(machine.users) == {"root", "pool09"}
    assert set(machine.groups) == {"root", "pool09"}
    assert _text(machine, "subuid") == "alice:100000:65536\n"
    assert _text(machine, "at.deny") == "www-data\n"
    assert _text(machine, "cron.deny") is None
    assert run_module(pool_accounts.main, **{**WANTED, "count": 0})["changed"] is False


def test_check_mode_foretells_and_changes_nothing(run_module: Any, machine: Machine) -> None:
    told = run_module(pool_accounts.main, **WANTED, _ansible_check_mode=True)
    assert machine.commands == []
    assert _text(machine, "subuid") == "alice:100000:65536\n"
    done = run_module(pool_accounts.main, **WANTED)
    assert {key: told[key] for key in ("changed", "added", "files")} == {key: done[key] for key in ("changed", "added", "files")}


def test_files_stay_their_owners(run_module: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """/etc/at.deny is of the group of at(1), which could not read it otherwise and would let nobody in."""
    path = machine.root / "etc" / "at.deny"
    path.chmod(0o640)
    status = path.stat()
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _descriptor, *owner: given.append(owner))
    run_module(pool_accounts.main, **WANTED)
    # at.deny and subuid were there; cron.deny and subgid are new.
    assert given == [(status.st_uid, status.st_gid)] * 2
    assert path.stat().st_mode & 0o777 == 0o640


def test_lists_of_those_who_may_are_left_alone(run_module: Any, machine: Machine) -> None:
    (machine.root / "etc" / "cron.allow").write_text("root\n")
    machine.tools.discard("at")
    run_module(pool_accounts.main, **WANTED)
    assert _text(machine, "cron.deny") is None
    assert _text(machine, "at.deny") == "www-data\n"


def test_without_debian_no_list_is_made_that_would_let_others_in(run_module: Any, machine: Machine) -> None:
    (machine.root / "etc" / "debian_version").unlink()
    run_module(pool_accounts.main, **WANTED)
    assert _text(machine, "cron.deny") is None


def test_a_group_of_somebody_elses_is_refused(run_module: Any, machine: Machine) -> None:
    machine.groups["pool01"] = 50
    done = run_module(pool_accounts.main, **WANTED)
    assert done["failed"] is True
    assert done["msg"] == f"group pool01 has the id 50: expected {FIRST}, or no such group"
    assert "pool01" not in machine.users
