"""A full disk under the switch: a job ends or waits and its owner is told why; nothing stays behind, and the node recovers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import left_behind
import pytest
import switch_site
from condor_harness import Root
from execute_point import EXECUTE, RUN, ExecutePoint

_IDLE, _COMPLETED, _HELD = 1, 4, 5
_FULL = "No space left on device"
_ROOM = "size=64m,nr_inodes=20000"


@pytest.fixture(scope="module")
def site(execute_root: Root) -> Iterator[ExecutePoint]:
    with ExecutePoint(execute_root, left_behind.CRON) as made:
        switch_site.install(made)
        made.world.small(EXECUTE, _ROOM)
        made.world.small(RUN, _ROOM)
        yield made


@pytest.fixture(autouse=True)
def _room(site: ExecutePoint) -> Iterator[None]:
    (site.world.root / "home/alice/log").unlink(missing_ok=True)
    yield
    for place in (EXECUTE, RUN):
        site.world.resize(place, _ROOM)
        (site.world.root / place.lstrip("/") / "filler").unlink(missing_ok=True)


def _inodes(site: ExecutePoint, place: str) -> int:
    status = os.statvfs(site.world.root / place.lstrip("/"))
    return status.f_files - status.f_ffree


def _fill(site: ExecutePoint, place: str) -> None:
    with contextlib.suppress(OSError), (site.world.root / place.lstrip("/") / "filler").open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


def _log(site: ExecutePoint) -> str:
    return site.world.read("/home/alice/log")


def _told(site: ExecutePoint, cluster: str) -> str:
    """What became of a job that did not complete: in its log, or with its hold."""
    job = site.pool.job(site.cm, cluster)
    return f"{job.get('HoldReason', '')}\n{job.get('VacateReason', '')}\n{_log(site)}"


def _not_run(site: ExecutePoint, cluster: str) -> bool:
    """Whether it was tried in vain: it is held, or waits again."""
    job = site.pool.job(site.cm, cluster)
    return job.get("JobStatus") == _HELD or (job.get("JobStatus") == _IDLE and job.get("NumShadowStarts", 0) > 0)


def _completed(site: ExecutePoint, cluster: str) -> bool:
    return bool(site.pool.job(site.cm, cluster).get("JobStatus") == _COMPLETED)


def _completes(site: ExecutePoint, cluster: str) -> None:
    if site.pool.job(site.cm, cluster)["JobStatus"] == _HELD:
        site.cm.run(["condor_release", cluster])
    job = site.pool.wait_job(site.cm, cluster, _COMPLETED)
    assert job["ExitCode"] == 0
    assert site.world.read("/home/alice/out") == "ran\n"


def _recovers(site: ExecutePoint, cluster: str) -> None:
    _completes(site, cluster)
    left_behind.nothing(site)


def test_no_room_for_the_switchs_own_files(site: ExecutePoint) -> None:
    left_behind.nothing(site)
    _fill(site, RUN)
    cluster = site.shell("#!/bin/sh\necho ran\n")
    site.pool.wait(lambda: _FULL in _told(site, cluster), "a reason that the owner reads")
    site.pool.wait(lambda: _not_run(site, cluster), "a job that waits")
    assert not switch_site.processes_of(site, *left_behind.UIDS)
    (site.world.root / RUN.lstrip("/") / "filler").unlink()
    _recovers(site, cluster)


@pytest.mark.parametrize(("place", "free"), [(RUN, range(4)), (EXECUTE, range(4, 22))])
def test_no_further_file(site: ExecutePoint, place: str, free: range) -> None:
    """However far the switch gets: a job has run, or it waits, and somebody is told why."""
    refused = 0
    for count in free:
        left_behind.nothing_kept(site)
        site.world.resize(place, f"nr_inodes={_inodes(site, place) + count}")
        refused += _runs_or_waits(site, place)
    assert 0 < refused < len(free)
    left_behind.nothing(site)


def _runs_or_waits(site: ExecutePoint, place: str) -> bool:
    """Have a job run with the room that there is, and then with enough; whether it waited."""
    (site.world.root / "home/alice/log").unlink(missing_ok=True)
    cluster = site.shell("#!/bin/sh\necho ran\n")
    site.pool.wait(lambda: _completed(site, cluster) or _not_run(site, cluster), "a job that ran, or one that waits")
    waited = not _completed(site, cluster)
    if waited:
        # Without room for a reason to the starter it is told to end: then the record alone has it.
        told = _told(site, cluster) + "".join(record["MESSAGE"] for record in switch_site.records(site, cluster, "refused"))
        assert _FULL in told
        assert not switch_site.records(site, cluster, "end")
    site.world.resize(place, _ROOM)
    _completes(site, cluster)
    return waited


def test_no_room_in_the_sandbox(site: ExecutePoint) -> None:
    _fill(site, EXECUTE)
    cluster = site.shell("#!/bin/sh\necho ran\n")
    site.pool.wait(lambda: _not_run(site, cluster), "a job that waits")
    assert _FULL in _told(site, cluster)
    assert not switch_site.records(site, cluster, "start")
    (site.world.root / EXECUTE.lstrip("/") / "filler").unlink()
    _recovers(site, cluster)


def test_a_job_that_fills_the_disk(site: ExecutePoint) -> None:
    script = '#!/bin/sh\nwhy=$(cat /dev/zero 2>&1 >big)\nrm big\necho "$why" >&2\necho ran\n'
    cluster = site.shell(script)
    _completes(site, cluster)
    assert _FULL in site.world.read("/home/alice/err")
    left_behind.nothing(site)
