"""Leases of accounts, and quarantine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute import accounts, leftovers, settings
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
