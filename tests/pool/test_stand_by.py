"""Switches that stand by, and jobs for which none does."""

from __future__ import annotations

import os

import layers
import left_behind
import pytest
import switch_site
from execute_point import ENGINE, RUN, STARTER, ExecutePoint

_COMPLETED = 4
_WAITS = "#!/bin/sh\n: >begun\nuntil [ -e end ]; do sleep 0.1; done\nexit 7\n"


def _begin(site: ExecutePoint) -> str:
    cluster = site.shell(_WAITS)
    switch_site.record(site, cluster, "start")
    return cluster


def _end(site: ExecutePoint, cluster: str) -> None:
    for begun in (site.world.root / "srv/condor/p220/execute").rglob("begun"):
        (begun.parent / "end").touch()
    assert site.pool.wait_job(site.cm, cluster, _COMPLETED)["ExitCode"] == 7
    left_behind.nothing(site)


def _pipes(site: ExecutePoint) -> list[str]:
    directory = site.world.root / RUN.lstrip("/")
    return [path.name for path in directory.iterdir() if path.suffix in (".call", ".answer")]


def _words(site: ExecutePoint, pid: int) -> list[str]:
    return (site.world.root / f"proc/{pid}/cmdline").read_text().split("\0")


def _cgroup(site: ExecutePoint, pid: int) -> str:
    return (site.world.root / f"proc/{pid}/cgroup").read_text().splitlines()[-1]


def test_a_switch_that_stood_by_keeps_the_job(site: ExecutePoint) -> None:
    cluster = _begin(site)
    starter, monitor, keeper = (layer(site) for layer in (layers.starter, layers.monitor, layers.keeper))
    assert _words(site, keeper)[3:6] == [f"{ENGINE}/switch", "stand-by", f"{RUN}/{starter}"]
    # What the starter knows as the job is no more than a shell, with nothing of the job's in its environment.
    assert _words(site, monitor)[1].endswith("/job-follow")
    assert (site.world.root / f"proc/{monitor}/environ").read_text() == ""
    # The job and what follows it are in the job's control group, the keeper is in the daemons'.
    assert _cgroup(site, layers.job(site)) == _cgroup(site, layers.init(site)) == _cgroup(site, monitor)
    site.pool.wait(lambda: _cgroup(site, keeper) == _cgroup(site, starter), "a keeper among the daemons")
    assert _cgroup(site, monitor) != _cgroup(site, starter)
    assert _pipes(site) == []
    _end(site, cluster)


def test_what_the_starter_gives_is_the_jobs(site: ExecutePoint) -> None:
    site.p220.configure("JOB_RENICE_INCREMENT = 7", "90-stand-by.conf")
    site.p220.reconfig()
    site.world.write("/home/alice/given", "from standard input\n")
    cluster = site.shell("#!/bin/sh\ncat; nice; ulimit -c; umask; echo complaint >&2\n", "input = given", "coresize = 2048")
    site.pool.wait_job(site.cm, cluster, _COMPLETED)
    nice = min(os.getpriority(os.PRIO_PROCESS, 0) + 7, 19)
    assert site.world.read("/home/alice/out").splitlines()[:2] == ["from standard input", str(nice)]
    assert site.world.read("/home/alice/err") == "complaint\n"
    site.p220.configure("", "90-stand-by.conf")
    site.p220.reconfig()


@pytest.mark.parametrize("setting", [("payload_caller", "carol"), ("mode", "log-only")])
def test_where_none_can_stand_by_the_job_starts_a_switch(site: ExecutePoint, setting: tuple[str, str]) -> None:
    switch_site.configure(site, setting)
    cluster = _begin(site)
    assert _words(site, layers.monitor(site))[3:5] == [f"{ENGINE}/switch", "job"]
    assert _pipes(site) == []
    switch_site.configure(site)
    _end(site, cluster)


def test_a_switch_that_cannot_answer_costs_time_and_no_job(site: ExecutePoint) -> None:
    text = site.world.read(STARTER)
    # Nobody reads the one pipe, nobody writes to the other.
    site.world.write(STARTER, text.replace("stand-by", "stand-by-nowhere"), mode=0o755)
    try:
        cluster = _begin(site)
        assert _words(site, layers.monitor(site))[3:5] == [f"{ENGINE}/switch", "job"]
    finally:
        site.world.write(STARTER, text, mode=0o755)
    _end(site, cluster)
    switch_site.check(site)
    assert _pipes(site) == [], "the check of each minute removes what starters that are gone have left"


def test_it_ends_with_a_starter_that_has_no_job_any_more(site: ExecutePoint) -> None:
    site.world.write("/home/alice/large", "x" * 1000)
    missing = ["transfer_input_files = /home/alice/not-there", "transfer_executable = true"]
    site.world.write("/home/alice/job.sh", _WAITS, mode=0o755)
    cluster = site.submit("/home/alice/job.sh", *missing)
    site.pool.wait(lambda: site.pool.job(site.cm, cluster).get("JobStatus") == 5, "a job held for want of a file")
    site.cm.run(["condor_rm", cluster])
    left_behind.nothing(site)
    site.pool.wait(lambda: not _pipes(site), "no pipe of a starter's")
    held = [path.name for path in (site.world.root / RUN.lstrip("/")).glob("*.quarantine")]
    assert held == [], "nothing has run as the account"
