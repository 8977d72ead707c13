"""What a job has left on an execute point, whatever became of it."""

from __future__ import annotations

from pathlib import Path

import switch_site
from execute_point import ACCOUNTS, EXECUTE, RUN, ExecutePoint

CRON = f"""
STARTD_CRON_JOBLIST = SHEEPFOLD
STARTD_CRON_SHEEPFOLD_EXECUTABLE = {switch_site.CHECK}
STARTD_CRON_SHEEPFOLD_PERIOD = 3s
"""
"""The check of each minute, more often."""
UIDS = [number for _, number in ACCOUNTS]
_COMPLETED = 4


def sandboxes(site: ExecutePoint) -> list[Path]:
    """The directories of jobs."""
    return list((site.world.root / EXECUTE.lstrip("/")).glob("dir_*"))


def marks(site: ExecutePoint) -> list[Path]:
    """The quarantine of accounts."""
    return list((site.world.root / RUN.lstrip("/")).glob("*.quarantine"))


def nothing(site: ExecutePoint, cluster: str = "", within: float = 30) -> None:
    """No process, directory or mark of a job is left, once it is removed; the next job runs."""
    site.pool.wait(lambda: not switch_site.processes_of(site, *UIDS), "the end of every process of an account", within)
    if cluster:
        site.cm.run(["condor_rm", cluster], check=False)
    site.pool.wait(lambda: not sandboxes(site), "no directory of a job")
    site.pool.wait(lambda: not marks(site), "clean accounts")
    nothing_kept(site)
    job = site.submit("/usr/bin/id", "arguments = -u", "output = next.out", "log = next.log")
    site.pool.wait_job(site.cm, job, _COMPLETED)
    # The first account as a rule; not while the check has a look at it.
    assert int(site.world.read("/home/alice/next.out")) in UIDS


def nothing_kept(site: ExecutePoint) -> None:
    """The switch keeps nothing of jobs that are gone."""
    run = site.world.root / RUN.lstrip("/")
    site.pool.wait(
        lambda: not [*run.glob("*.environ"), *run.glob("*.starter")], "no file of a job's in the switch's directory", 30
    )
