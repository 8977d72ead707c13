"""What is left of a job when something in its chain dies, and accounts that are kept out of use until they are clean."""

from __future__ import annotations

import signal
from collections.abc import Callable

import layers
import left_behind
import pytest
import switch_site
from condor_harness.world import kill
from execute_point import ACCOUNTS, EXECUTE, RUN, ExecutePoint

_RUNS, _COMPLETED, _HELD = 2, 4, 5
_STUBBORN = """#!/bin/sh
trap '' TERM INT HUP
setsid sleep 4321 &
echo x >/tmp/mine
mkdir private
chmod 700 private
echo x >private/file
while :; do sleep 0.1; done
"""


def _start(site: ExecutePoint) -> str:
    """A job that does not want to end, running, and that is not started again; its cluster."""
    cluster = site.shell(_STUBBORN, "requirements = (NumShadowStarts ?: 0) == 0")
    switch_site.record(site, cluster, "start")
    site.pool.wait(lambda: site.commands("sleep 4321"), "the job's process in a session of its own")
    return cluster


# Who dies


@pytest.mark.parametrize("victim", [layers.monitor, layers.keeper, layers.init, layers.starter, layers.startd])
def test_nothing_survives_a_kill(site: ExecutePoint, victim: Callable[[ExecutePoint], int]) -> None:
    cluster = _start(site)
    site.world.run(["kill", "-9", str(victim(site))])
    left_behind.nothing(site, cluster)


def test_monitor_and_keeper_killed_at_once(site: ExecutePoint) -> None:
    cluster = _start(site)
    site.world.run(["kill", "-9", str(layers.monitor(site)), str(layers.keeper(site))])
    left_behind.nothing(site, cluster)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
def test_the_master_ends_and_comes_back(site: ExecutePoint, number: int) -> None:
    cluster = _start(site)
    if number == signal.SIGKILL:
        site.p220.kill()
    else:
        kill(site.p220.pids("condor_master"), number)
        site.pool.wait(lambda: not site.p220.pids("condor_master"), "the end of the master")
        site.p220.forget()
    site.p220.start()
    left_behind.nothing(site, cluster, 60)


@pytest.mark.parametrize(
    "command", [["condor_rm"], ["condor_rm", "-forcex"], ["condor_hold"], ["condor_vacate_job"], ["condor_vacate_job", "-fast"]]
)
def test_a_command_ends_everything(site: ExecutePoint, command: list[str]) -> None:
    cluster = _start(site)
    site.cm.run([*command[:1], cluster] if command[1:] != ["-fast"] else [*command, cluster])
    if command[1:] == ["-forcex"]:
        site.cm.run([*command, cluster])
    if command == ["condor_hold"]:
        site.pool.wait_job(site.cm, cluster, _HELD)
    left_behind.nothing(site, cluster)


def test_a_suspended_job_does_nothing_and_goes_on(site: ExecutePoint) -> None:
    cluster = site.shell("#!/bin/sh\nwhile [ ! -e end ]; do echo >>ticks; sleep 0.05; done\n")
    switch_site.record(site, cluster, "start")

    def ticks() -> int:
        return sum(path.stat().st_size for path in (site.world.root / EXECUTE.lstrip("/")).rglob("ticks"))

    site.pool.wait(ticks, "a job at work")
    site.cm.run(["condor_suspend", cluster])
    site.pool.wait(site.frozen, "a frozen control group")
    before = ticks()
    site.world.run(["sleep", "0.5"])
    assert ticks() == before
    site.resume(cluster)
    site.pool.wait(lambda: ticks() > before, "a job at work again")
    site.cm.run(["condor_rm", cluster])
    left_behind.nothing(site, cluster)


def test_a_suspended_job_is_removed(site: ExecutePoint) -> None:
    cluster = _start(site)
    site.cm.run(["condor_suspend", cluster])
    site.pool.wait(site.frozen, "a frozen control group")
    site.cm.run(["condor_rm", cluster])
    left_behind.nothing(site, cluster)


# Accounts


def _advertised(site: ExecutePoint, name: str) -> str:
    ads = site.pool.ads(attributes=[name])
    return str(ads[0].get(name, "")) if ads else ""


def test_an_account_is_out_of_use_until_it_is_clean(site: ExecutePoint) -> None:
    cluster = site.shell("#!/bin/sh\nuntil [ -e end ]; do sleep 0.1; done\n")
    account = switch_site.record(site, cluster, "start")["SHEEPFOLD_ACCOUNT"]
    assert account == ACCOUNTS[0][0]
    # A file of root's: nobody but root can remove it.
    mail = f"/var/mail/{account}"
    site.world.write(mail, "x")
    sandbox = left_behind.sandboxes(site)[0]
    sandbox = (sandbox / "scratch") if (sandbox / "scratch").is_dir() else sandbox
    (sandbox / ".sheepfold-switch" / "job" / "end").touch()
    site.pool.wait_job(site.cm, cluster, _COMPLETED)
    note = switch_site.record(site, cluster, "end")["SHEEPFOLD_NOTE"]
    assert note == f"left behind: file {mail}; {account} is in quarantine"

    second = site.submit("/usr/bin/id", "arguments = -u")
    assert switch_site.record(site, second, "end")["SHEEPFOLD_ACCOUNT"] != account
    assert switch_site.check(site)["SheepfoldQuarantined"] == f'"{account}: file {mail}"'
    site.pool.wait(lambda: _advertised(site, "SheepfoldQuarantined") == f"{account}: file {mail}", "the machine's ad to say so")

    switch_site.configure(site, accounts=1)
    third = site.submit("/usr/bin/id", "arguments = -u")
    sentence = f"No pool account is free and clean: {account} is in quarantine"
    log = site.world.root / "home/alice/log"
    site.pool.wait(lambda: sentence in log.read_text(), "the reason in the job's log")
    site.world.run(["rm", mail])
    site.pool.wait_job(site.cm, third, _COMPLETED)
    site.pool.wait(lambda: _advertised(site, "SheepfoldQuarantined") == "", "the machine's ad to say that it is clean")
    switch_site.configure(site)


def test_the_check_clears_what_it_finds(site: ExecutePoint) -> None:
    name, uid = ACCOUNTS[4]
    as_account = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    # Held, so that the check of each few seconds leaves it alone until everything is there.
    lock = f"{RUN}/{name}.lock"
    hold = site.world.popen(["flock", lock, "sleep", "5"])
    site.world.popen([*as_account, "sleep", "4322"])
    site.world.run(
        [*as_account, "sh", "-c", "mkdir -p /tmp/left/deep; echo >/tmp/left/deep/file; echo >/dev/shm/left; ipcmk -M 100"]
    )
    site.pool.wait(lambda: site.commands("sleep 4322"), "a process of the account")
    hold.wait()

    def cleared() -> bool:
        kinds = ("process ", "file /tmp/left", "file /dev/shm/left", "System V shm")
        found.append(_advertised(site, "SheepfoldCleared") + switch_site.check(site)["SheepfoldCleared"])
        return all(any(f"{name}: {kind}" in each for each in found) for kind in kinds)

    found: list[str] = []
    site.pool.wait(cleared, "the check to tell what it cleared")
    assert not site.commands("sleep 4322")
    for path in ("tmp/left", "dev/shm/left"):
        assert not (site.world.root / path).exists()
    assert switch_site.check(site)["SheepfoldCleared"] == '""'


def test_the_check_says_what_is_in_use(site: ExecutePoint) -> None:
    cluster = _start(site)
    said = switch_site.check(site)
    assert said["SheepfoldMode"] == '"identity"'
    assert said["SheepfoldDriver"] == '"newuidmap"'
    assert said["SheepfoldAccounts"] == str(len(ACCOUNTS))
    assert said["SheepfoldAccountsInUse"] == "1"
    site.cm.run(["condor_rm", cluster])
    left_behind.nothing(site, cluster)
    assert switch_site.check(site)["SheepfoldAccountsInUse"] == "0"
