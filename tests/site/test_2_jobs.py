"""Jobs: a foreign one comes in, a local one goes out, each where it belongs and nowhere else."""

from __future__ import annotations

import json

import pytest

from lab import jobs

from .plays import play
from .prepare import LOCAL_JOBS

#: A startd of the flock is opened for p220 only; p221 keeps its local job.
OPEN = "p220"


@pytest.fixture(scope="module")
def opened() -> None:
    """Open the flocking startd of one node; its regular one has been seen empty by then."""
    result = play("flock_on", "--limit", OPEN)
    assert not result.failed, result.failed
    assert result.returncode == 0


@pytest.mark.usefixtures("opened")
def test_a_foreign_job_runs_as_its_slots_user_in_the_container() -> None:
    job = jobs.submit("remote", "bob", jobs.WHO_AND_WHERE, jobs.ON_THE_FLOCK)
    ad = job.wait(jobs.COMPLETED, jobs.WAIT_S)
    output = job.output("out")
    print(output)
    assert ad["NumJobStarts"] == 1
    assert "user=flockslot1 uid=60001" in output
    assert "host=f220.sips" in output
    assert "address=10.27.2.220 " in output
    assert job.output("err") == ""


@pytest.mark.usefixtures("opened")
def test_a_foreign_job_is_removed_and_its_slot_is_free_again() -> None:
    job = jobs.submit("remote", "bob", jobs.sleeper(600), jobs.ON_THE_FLOCK)
    job.wait(jobs.RUNNING, jobs.WAIT_S)
    job.remove()
    job.wait(jobs.REMOVED, jobs.WAIT_S)
    after = jobs.submit("remote", "bob", jobs.WHO_AND_WHERE, jobs.ON_THE_FLOCK)
    after.wait(jobs.COMPLETED, jobs.WAIT_S)


@pytest.mark.usefixtures("opened")
def test_jobs_stay_on_their_own_side() -> None:
    foreign = jobs.submit("remote", "bob", jobs.WHO_AND_WHERE, "requirements = TARGET.FlockNode =?= false")
    local = jobs.submit("submit", "alice", jobs.WHO_AND_WHERE, jobs.ON_THE_FLOCK)
    control = jobs.submit("submit", "alice", jobs.WHO_AND_WHERE, 'requirements = regexp("^p221", Machine)')
    control.wait(jobs.COMPLETED, jobs.WAIT_S)
    for job in (foreign, local):
        assert job.ad()["JobStatus"] == jobs.IDLE
        assert job.ad().get("NumJobStarts", 0) == 0
        job.remove()


def test_a_local_job_flocks_out() -> None:
    job = jobs.submit("submit", "alice", jobs.WHO_AND_WHERE, 'requirements = regexp("remote", Machine)')
    job.wait(jobs.COMPLETED, jobs.WAIT_S)
    assert "host=remote" in job.output("out")


def test_the_local_jobs_from_before_were_never_disturbed() -> None:
    for node, cluster in json.loads(LOCAL_JOBS.read_text()).items():
        ad = jobs.Job("submit", "alice", cluster).ad()
        # NumJobStarts comes from the shadow, which reports every quarter of an hour; this one is the access point's own.
        assert (node, ad["JobStatus"], ad["NumShadowStarts"]) == (node, jobs.RUNNING, 1)
