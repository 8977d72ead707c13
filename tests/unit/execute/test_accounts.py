"""Leases of accounts, and quarantine."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute import accounts, check, leftovers, settings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.errors import SYSTEM, SwitchError


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    monkeypatch.setattr(accounts, "PATIENCE", 0.05)
    monkeypatch.setattr(leftovers, "of_account", lambda account: [])
    return settings.parse(f"account = pool01 2100001\naccount = pool02 2100002\nrun_directory = {tmp_path}")


def test_each_job_has_an_account_of_its_own(known: settings.Settings) -> None:
    first, second = accounts.lease(known), accounts.lease(known)
    assert (first.account.name, second.account.name) == ("pool01", "pool02")
    with pytest.raises(SwitchError, match="pool01 is in use; pool02 is in use") as raised:
        accounts.lease(known)
    assert raised.value.code == SYSTEM
    os.close(first.descriptor)
    assert accounts.lease(known).account.name == "pool01"


def test_an_account_that_is_not_clean_is_not_used(known: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    first = accounts.lease(known)
    os.close(first.descriptor)
    # As after a crash: nobody said that it is clean.
    assert Path(first.quarantine).read_text() == "in use\n"
    monkeypatch.setattr(leftovers, "of_account", lambda account: ["process 7"] if account.name == "pool01" else [])
    second = accounts.lease(known)
    assert second.account.name == "pool02"
    with pytest.raises(SwitchError, match="pool01 is in quarantine; pool02 is in use"):
        accounts.lease(known)


def test_what_was_known_before_a_start_of_the_host_is_looked_at_again(
    known: settings.Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lease = accounts.lease(known)
    lease.clear()
    os.close(lease.descriptor)
    # A start of the host: the directory is empty.
    for path in tmp_path.iterdir():
        path.unlink()
    monkeypatch.setattr(leftovers, "of_account", lambda account: ["file /var/tmp/x"] if account.name == "pool01" else [])
    assert accounts.lease(known).account.name == "pool02"


def test_no_room_for_a_lease_is_said(known: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_words: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(accounts.Lease, "condemn", full)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(SwitchError, match=r"pool01 cannot be leased in .*: No space left on device; pool02 cannot"):
        accounts.lease(known)
    # Nor does one stay leased for it.
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_clean_one_comes_back(known: settings.Settings) -> None:
    lease = accounts.lease(known)
    lease.clear()
    lease.clear()
    assert not Path(lease.quarantine).exists()


def test_no_accounts_are_no_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "PATIENCE", 0.0)
    with pytest.raises(SwitchError, match="the settings name none"):
        accounts.lease(settings.parse(f"run_directory = {tmp_path}"))


def test_leftovers_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = settings.Account("pool01", os.getuid())
    (tmp_path / "left").touch()
    monkeypatch.setattr(leftovers, "SHARED_DIRECTORIES", (str(tmp_path), "/nonexistent"))
    monkeypatch.setattr(leftovers, "NAMED_FILES", (f"{tmp_path}/{{}}.cron",))
    (tmp_path / "pool01.cron").touch()
    left = leftovers.of_account(account)
    assert f"process {os.getpid()}" in left
    assert f"file {tmp_path}/left" in left
    assert f"file {tmp_path}/pool01.cron" in left
    assert leftovers.of_account(settings.Account("pool02", 2100002)) == []


def _sleeper() -> int:
    return os.posix_spawn("/bin/sleep", ["sleep", "300"], {})


def _end(pid: int) -> None:
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def test_who_has_an_account_for_a_starter_that_is_gone_is_known(known: settings.Settings) -> None:
    lease = accounts.lease(known)
    assert accounts.orphan(lease.account, known.run_directory) is None
    starter = _sleeper()
    try:
        lease.held_for(starter)
        assert accounts.orphan(lease.account, known.run_directory) is None
    finally:
        _end(starter)
    assert accounts.orphan(lease.account, known.run_directory) == os.getpid()


def test_a_stopped_keeper_of_no_starter_gives_its_account_up(known: settings.Settings) -> None:
    account, starter = known.account[0], _sleeper()
    keeper = os.fork()
    if keeper == 0:
        try:
            accounts.lease(known).held_for(starter)
            os.kill(os.getpid(), signal.SIGSTOP)
        finally:
            os._exit(0)
    try:
        os.waitid(os.P_PID, keeper, os.WSTOPPED | os.WNOWAIT)
        seen = check._Seen()
        check._look_at(known, account, seen)
        assert (seen.in_use, seen.cleared) == (1, [])
    finally:
        _end(starter)
    check._look_at(known, account, seen)
    assert seen.cleared == [f"{account.name}: stopped process {keeper}"]
    assert not Path(accounts.quarantine_file(known.run_directory, account)).exists()
    assert os.WTERMSIG(os.waitpid(keeper, 0)[1]) == signal.SIGKILL
