"""Leases of accounts, and quarantine."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute import account_check, settings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.accounts import leases, residue
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.errors import SYSTEM, SwitchError


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.SwitchSettings:
    monkeypatch.setattr(leases, "PATIENCE", 0.05)
    monkeypatch.setattr(residue, "of_account", lambda account: [])
    return settings.parse(f"account = pool01 2100001\naccount = pool02 2100002\nrun_directory = {tmp_path}")


def test_each_job_has_an_account_of_its_own(known: settings.SwitchSettings) -> None:
    first, second = leases.lease(known), leases.lease(known)
    assert (first.account.name, second.account.name) == ("pool01", "pool02")
    with pytest.raises(SwitchError, match="pool01 is in use; pool02 is in use") as raised:
        leases.lease(known)
    assert raised.value.code == SYSTEM
    os.close(first.descriptor)
    assert leases.lease(known).account.name == "pool01"


def test_an_account_that_is_not_clean_is_not_used(known: settings.SwitchSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    first = leases.lease(known)
    os.close(first.descriptor)
    # As after a crash: nobody said that it is clean.
    assert Path(first.quarantine).read_text() == "in use\n"
    monkeypatch.setattr(residue, "of_account", lambda account: ["process 7"] if account.name == "pool01" else [])
    second = leases.lease(known)
    assert second.account.name == "pool02"
    with pytest.raises(SwitchError, match="pool01 is in quarantine; pool02 is in use"):
        leases.lease(known)


def test_what_was_known_before_a_start_of_the_host_is_looked_at_again(
    known: settings.SwitchSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lease = leases.lease(known)
    lease.clear()
    os.close(lease.descriptor)
    # A start of the host: the directory is empty.
    for path in tmp_path.iterdir():
        path.unlink()
    monkeypatch.setattr(residue, "of_account", lambda account: ["file /var/tmp/x"] if account.name == "pool01" else [])
    assert leases.lease(known).account.name == "pool02"


def test_no_room_for_a_lease_is_said(known: settings.SwitchSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_words: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(leases.Lease, "condemn", full)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(SwitchError, match=r"pool01 cannot be leased in .*: No space left on device; pool02 cannot"):
        leases.lease(known)
    # Nor does one stay leased for it.
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_clean_one_comes_back(known: settings.SwitchSettings) -> None:
    lease = leases.lease(known)
    lease.clear()
    lease.clear()
    assert not Path(lease.quarantine).exists()


def test_no_accounts_are_no_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "PATIENCE", 0.0)
    with pytest.raises(SwitchError, match="the settings name none"):
        leases.lease(settings.parse(f"run_directory = {tmp_path}"))


def test_leftovers_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = settings.Account("pool01", os.getuid())
    (tmp_path / "left").touch()
    monkeypatch.setattr(residue, "SHARED_DIRECTORIES", (str(tmp_path), "/nonexistent"))
    monkeypatch.setattr(residue, "NAMED_FILES", (f"{tmp_path}/{{}}.cron",))
    (tmp_path / "pool01.cron").touch()
    left = residue.of_account(account)
    assert f"process {os.getpid()}" in left
    assert f"file {tmp_path}/left" in left
    assert f"file {tmp_path}/pool01.cron" in left
    assert residue.of_account(settings.Account("pool02", 2100002)) == []


def _sleeper() -> int:
    return os.posix_spawn("/bin/sleep", ["sleep", "300"], {})


def _end(pid: int) -> None:
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def test_who_has_an_account_for_a_starter_that_is_gone_is_known(known: settings.SwitchSettings) -> None:
    lease = leases.lease(known)
    assert leases.orphan(lease.account, known.run_directory) is None
    starter = _sleeper()
    try:
        lease.held_for(starter)
        assert leases.orphan(lease.account, known.run_directory) is None
    finally:
        _end(starter)
    assert leases.orphan(lease.account, known.run_directory) == os.getpid()


def test_a_stopped_keeper_of_no_starter_gives_its_account_up(known: settings.SwitchSettings) -> None:
    account, starter = known.account[0], _sleeper()
    keeper = os.fork()
    if keeper == 0:
        try:
            leases.lease(known).held_for(starter)
            os.kill(os.getpid(), signal.SIGSTOP)
        finally:
            os._exit(0)
    try:
        os.waitid(os.P_PID, keeper, os.WSTOPPED | os.WNOWAIT)
        seen = account_check._Seen()
        account_check._look_at(known, account, seen)
        assert (seen.in_use, seen.cleared) == (1, [])
    finally:
        _end(starter)
    account_check._look_at(known, account, seen)
    assert seen.cleared == [f"{account.name}: stopped process {keeper}"]
    assert not Path(leases.quarantine_file(known.run_directory, account)).exists()
    assert os.WTERMSIG(os.waitpid(keeper, 0)[1]) == signal.SIGKILL
