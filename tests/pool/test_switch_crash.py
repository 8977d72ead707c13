"""A node crashes with jobs on it and starts again: accounts are clean before they are used, old sandboxes go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import left_behind
import pytest
import switch_site
from condor_harness import Root
from condor_harness.world import find
from execute_point import ACCOUNTS, EXECUTE, RUN, ExecutePoint

_COMPLETED = 4
_JOBS = 2
_STUBBORN = """#!/bin/sh
trap '' TERM INT HUP
setsid sleep 4321 &
mkdir -m 700 private
echo secret >private/file
chmod 600 private/file
while :; do sleep 0.1; done
"""


@pytest.fixture
def site(execute_root: Root) -> Iterator[ExecutePoint]:
    """Without the check of each minute, which is made by hand here."""
    with ExecutePoint(execute_root) as made:
        switch_site.install(made, accounts=_JOBS)
        yield made


def _pids(site: ExecutePoint) -> list[str]:
    """All processes of the execute point: the daemons', the switch's and the accounts'."""
    condor = int(site.world.run(["id", "-u", "condor"]).stdout)
    found = []
    for status in site.world.statuses():
        ids = {int(uid) for uid in status["Uid"].split()}
        # The central manager's are root's in one place at least.
        if not status["State"].startswith("Z") and len(ids) == 1 and ids <= {condor, *left_behind.UIDS}:
            found.append(status["Pid"])
    return found


def _crash(site: ExecutePoint) -> None:
    """Everything ends at once, and nobody gets to clean up."""
    clusters = [site.shell(_STUBBORN, "requirements = (NumShadowStarts ?: 0) == 0") for _ in range(_JOBS)]
    for cluster in clusters:
        switch_site.record(site, cluster, "start")
    site.pool.wait(lambda: len(site.commands("sleep 4321")) == _JOBS, "processes in sessions of their own")
    site.pool.wait(lambda: len(_secrets(site)) == _JOBS, "files of the jobs")
    for number in ("-STOP", "-KILL"):
        # Stopped before, so that none sees another's end.
        site.world.run(["kill", number, *_pids(site)], check=False)
    site.pool.wait(lambda: not _pids(site), "the end of everything")
    site.p220.forget()
    for cluster in clusters:
        site.cm.run(["condor_rm", cluster], check=False)
        site.cm.run(["condor_rm", "-forcex", cluster], check=False)


def _secrets(site: ExecutePoint) -> list[Path]:
    return [path for path in find(site.world.root / EXECUTE.lstrip("/"), "file") if path.parent.name == "private"]


def _restart_host(site: ExecutePoint) -> None:
    """What a start of the host does beyond that: /run is empty."""
    site.world.run(["sh", "-c", f"rm -f {RUN}/*"])


@pytest.mark.parametrize("host", ["stays up", "starts again"])
def test_accounts_are_not_used_before_they_are_clean(site: ExecutePoint, host: str) -> None:
    _crash(site)
    owners = {path.lstat().st_uid for path in _secrets(site)}
    assert owners == {number for _, number in ACCOUNTS[:_JOBS]}
    if host == "starts again":
        _restart_host(site)
    site.p220.start()
    cluster = site.submit("/usr/bin/id", "arguments = -u")
    sentence = "No pool account is free and clean: pool01 is in quarantine; pool02 is in quarantine"
    log = site.world.root / "home/alice/log"
    site.pool.wait(lambda: sentence in log.read_text(), "the reason in the waiting job's log")
    cleared = switch_site.check(site)["SheepfoldCleared"]
    assert cleared.count(f"{EXECUTE}/dir_") == _JOBS
    site.pool.wait_job(site.cm, cluster, _COMPLETED)
    assert int(site.world.read("/home/alice/out")) in left_behind.UIDS
    assert not _secrets(site)
    switch_site.check(site)
    left_behind.nothing(site)


def test_what_an_account_left_is_seen_after_a_start_of_the_host(site: ExecutePoint) -> None:
    """The control: where the switch takes it for known, the account is used with what another's job has left."""
    name, uid = ACCOUNTS[0]
    left = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "touch", "/var/tmp/left"]

    def account_of_next(output: str) -> str:
        cluster = site.submit("/usr/bin/id", "arguments = -u", f"output = {output}")
        return switch_site.record(site, cluster, "end")["SHEEPFOLD_ACCOUNT"]

    _restart_host(site)
    site.world.run(left)
    assert account_of_next("first.out") != name
    _restart_host(site)
    condor = [int(site.world.run(["id", option, "condor"]).stdout) for option in ("-u", "-g")]
    site.world.write(f"{RUN}/{name}.lock", "known\n", mode=0o600, owner=(condor[0], condor[1]))
    assert account_of_next("second.out") == name


def test_a_directory_of_before_goes_though_its_number_is_anothers_now(site: ExecutePoint) -> None:
    execute = site.world.root / EXECUTE.lstrip("/")
    startd = site.p220.pids("condor_startd")
    inside = next(process["Pid"] for process in site.process_table() if process["Name"] == "condor_startd")
    assert startd
    for number in ("1", inside):
        site.as_condor(["mkdir", f"{EXECUTE}/dir_{number}"])
    switch_site.check(site)
    assert [path.name for path in execute.iterdir()] == [f"dir_{inside}"]
