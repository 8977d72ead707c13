"""Modules startd and startd_info on real pools, as on a central manager: by HTCondor's command-line tools."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest
from condor_harness import Pool
from small_site import Site, only

COMPLETED, RUNNING, IDLE = 4, 2, 1
# Seconds from a startd's look at its START, when a job is activated, to the job's execution, on a busy machine.
STARTING = 8


@pytest.fixture(scope="module")
def the_site(new_pool: Callable[[str], Pool]) -> Site:
    return Site(new_pool)


@pytest.fixture
def site(the_site: Site) -> Iterator[Site]:
    yield the_site
    the_site.reset()


def test_everybody_is_seen(site: Site) -> None:
    answer = site.pool.module(site.cm, "startd_info", settle=3)
    seen = {each["name"]: (each["flocking"], each["state"]) for each in answer["startds"]}
    assert seen == {"p220": (False, "on"), "p221": (False, "on"), "f220": (True, "drained")}
    assert answer["conflicts"] == [] and answer["missing"] == []


def test_an_idle_startd_is_drained_and_opened_again(site: Site) -> None:
    foreseen = site.startd("p220", "drained", _ansible_check_mode=True)
    assert foreseen["changed"] and site.see("p220")["state"] == "on"
    done = site.startd("p220", "drained")
    assert done["changed"] and only(done)["drain_reason"].startswith("sheepfold/")
    assert only(done)["actions"] == only(foreseen)["actions"] == ["drain (peaceful)"]
    assert done["diff"] == foreseen["diff"]
    assert not site.startd("p220", "drained")["changed"]
    assert not site.startd("p220", "drained", _ansible_check_mode=True)["changed"]
    back = site.startd("p220", "on")
    assert back["changed"] and only(back)["state"] == "on"
    assert not site.startd("p220", "on")["changed"]


def test_a_busy_startd_is_not_drained_and_its_job_lives(site: Site) -> None:
    cluster = site.running("p220", 6)
    refused = site.startd("p220", "drained", wait=1)
    assert refused["failed"] and refused["msg"] == "p220 runs something"
    assert not refused["changed"] and site.see("p220")["drain_reason"] == ""
    # Until it is empty by itself.
    assert only(site.startd("p220", "drained"))["state"] == "drained"
    assert site.pool.job(site.cm, cluster)["JobStatus"] == COMPLETED
    assert site.pool.job(site.cm, cluster)["NumJobStarts"] == 1


def test_a_fast_drain_ends_the_job(site: Site) -> None:
    cluster = site.running("p220", 300)
    assert only(site.startd("p220", "drained", how="fast"))["state"] == "drained"
    site.pool.wait_job(site.cm, cluster, IDLE)


def test_static_slots_count_as_empty_only_when_unclaimed(site: Site) -> None:
    cluster = site.running("p221", 300)
    refused = site.startd("p221", "drained", wait=1)
    assert refused["msg"] == "p221 runs something"
    assert site.pool.job(site.cm, cluster)["JobStatus"] == RUNNING
    site.cm.run(["condor_rm", cluster])
    assert only(site.startd("p221", "drained"))["state"] == "drained"


def test_a_drain_of_somebody_else_is_left_alone(site: Site) -> None:
    site.cm.run(["condor_drain", "-reason", "new disks", "p220.site.test"])
    site.pool.wait(lambda: site.see("p220")["drain_reason"] == "new disks", "the drain in the ads")
    refused = site.startd("p220", "on")
    assert refused["failed"] and "'new disks'" in refused["msg"] and not refused["changed"]
    assert only(site.startd("p220", "on", force=True))["state"] == "on"


def test_peaceful_off_lets_the_job_finish(site: Site) -> None:
    cluster = site.running("p220", 6)
    off = site.startd("p220", "off")
    assert only(off)["state"] == "off" and only(off)["actions"] == ["stop (peaceful)"]
    assert site.pool.job(site.cm, cluster)["JobStatus"] == COMPLETED
    assert site.pool.job(site.cm, cluster)["NumJobStarts"] == 1
    assert not site.startd("p220", "off")["changed"]
    # Off is emptier than drained: nothing to do.
    assert not site.startd("p220", "drained")["changed"]
    assert only(site.startd("p220", "on"))["actions"] == ["start"]


def test_the_two_sides_of_a_host_exclude_each_other(site: Site) -> None:
    refused = site.startd("f220", "on")
    assert refused["msg"] == "f220 must not be opened: the regular startd p220 beside it is on, not drained or off"
    site.open_flock()
    opened = site.see("f220")["open_until"]
    assert not site.startd("f220", "on", lease=600)["changed"] and site.see("f220")["open_until"] == opened
    refused = site.startd("p220", "on")
    assert refused["msg"] == "p220 must not be opened: the flocking startd f220 beside it is on, not drained or off"
    both = site.startd("p220", "on", exclusive=False)
    assert only(both)["state"] == "on"
    assert site.pool.module(site.cm, "startd_info", settle=3)["conflicts"] == ["f220"]


def test_a_lease_is_renewed_and_closes_by_itself(site: Site) -> None:
    long = site.submit("f220", 45)
    short = site.submit("f220", 1, count=99)

    def executed() -> list[int]:
        question = [short, "-constraint", "JobCurrentStartExecutingDate =!= undefined", "-af", "JobCurrentStartExecutingDate"]
        return [int(when) for tool in ("condor_q", "condor_history") for when in site.cm.run([tool, *question]).stdout.split()]

    site.open_flock(lease=10)
    opened = site.see("f220")["open_until"]
    # What is left is less than half of this one.
    renewed = only(site.startd("f220", "on", lease=20))
    end = renewed["open_until"]
    assert renewed["actions"] == ["open for 20 s"] and end > opened
    site.pool.wait(lambda: time.time() > end + 4, "the lease's end")
    # The long job, begun within the lease, still runs.
    assert site.see("f220")["state"] == "draining"
    assert site.pool.job(site.cm, long)["JobStatus"] == RUNNING
    site.pool.wait_job(site.cm, long, COMPLETED)
    assert time.time() > end + 2 * STARTING
    assert site.pool.job(site.cm, long)["NumJobStarts"] == 1
    assert only(site.startd("f220", "drained"))["state"] == "drained"
    # Of the short ones that follow each other on the other claims none began any more. Asked only now: the queue learns
    # of an execution some time after it began.
    began = executed()
    assert 0 < len(began) < 99 and max(began) <= end + STARTING


def test_a_restart_closes(site: Site) -> None:
    site.open_flock()
    site.f220.signal("condor_startd", signal.SIGKILL)
    site.pool.wait(lambda: site.see("f220")["state"] == "drained", "f220 back and closed")
    assert site.see("f220")["open_until"] == 0


def test_a_flocking_startd_is_emptied_peacefully_or_fast(site: Site) -> None:
    site.open_flock()
    cluster = site.running("f220", 300)
    waiting = site.startd("f220", "drained", wait=3)
    assert waiting["failed"] and only({**waiting, "failed": False})["actions"] == ["close"]
    assert "it is draining with 1 busy slots" in waiting["msg"]
    assert site.pool.job(site.cm, cluster)["JobStatus"] == RUNNING
    assert only(site.startd("f220", "drained", how="fast"))["state"] == "drained"
    site.pool.wait_job(site.cm, cluster, IDLE)


def test_a_flocking_startd_that_was_off_is_started_and_opened(site: Site) -> None:
    site.startd("p220", "drained")
    assert only(site.startd("f220", "off"))["state"] == "off"
    opened = only(site.startd("f220", "on"))
    assert opened["actions"] == ["start", "open for 900 s"] and opened["flocking"]


def test_a_hung_startd_costs_no_more_than_its_deadline(site: Site) -> None:
    site.p220.signal("condor_startd", signal.SIGSTOP)
    try:
        for state in ("drained", "off"):
            began = time.monotonic()
            answer = site.startd("p220", state, timeout=6, wait=1)
            assert answer["failed"] and "had no answer within 6 s and was ended" in answer["msg"], answer
            assert not answer["changed"]
            assert time.monotonic() - began < 90
        # The tools were really ended.
        assert not site.pool.world.processes("condor_drain") and not site.pool.world.processes("condor_off")
    finally:
        site.p220.signal("condor_startd", signal.SIGCONT)


def test_names_that_nobody_has(site: Site) -> None:
    answer = site.pool.module(site.cm, "startd", name=["p220", "p999", "x*"], state="drained")
    assert answer["failed"] and answer["msg"].startswith("name is p999, x*: expected startds that the collector knows")
    assert site.see("p220")["state"] == "on"
