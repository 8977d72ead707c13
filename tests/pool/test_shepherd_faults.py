"""The shepherd on a real pool in which things fail: each ends in a right state by itself, and the log says why."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from condor_harness import Pool
from shepherd_site import Site, jobs


@pytest.fixture(scope="module")
def the_site(new_pool: Callable[[str], Pool]) -> Site:
    return Site(new_pool)


@pytest.fixture
def site(the_site: Site) -> Iterator[Site]:
    the_site.configure()
    yield the_site
    for ap in (the_site.cm, the_site.remote):
        ap.run(["condor_rm", "-all"], check=False)
    the_site.shepherd("off", "--reason", "the test is over", "--evict")
    the_site.cycles_until("all back", lambda nodes: all(node["state"] == "off" for node in nodes.values()))
    the_site.shepherd("on")


def lend(site: Site, name: str = "p220") -> str:
    """Let a node go out and a foreign job run there; the job's cluster. The other node works for a local job."""
    other = next(each for each in site.regular if each != name)
    local = site.pool.submit(site.cm, jobs(3000, requirements=f'TARGET.Machine == "{other}.site.test"'))
    site.pool.wait(lambda: site.running(site.cm, local) == [other], "the local job")
    foreign = site.pool.submit(site.remote, jobs(3000, foreign=True))
    site.cycles_until(f"{name} out", lambda nodes: nodes[name]["state"] == "flock")
    site.pool.wait(lambda: site.running(site.remote, foreign) == ["f" + name[1:]], "the foreign job")
    site.cycles_until("the foreign job in the ads", lambda nodes: nodes[name]["foreign_jobs"] == 1)
    return foreign


def open_sides(site: Site) -> list[list[str]]:
    """Of each node the sides that are open."""
    found = {each["name"]: each for each in site.pool.module(site.cm, "startd_info", settle=5)["startds"]}
    return [[side for side in (name, "f" + name[1:]) if side in found and found[side]["state"] == "on"] for name in site.regular]


def test_a_hung_startd_costs_one_place_and_is_tried_again(site: Site) -> None:
    site.configure(settings={"reserve": 0.0}, pool={"timeout": 3})
    site.cycle()
    site.regular["p220"].signal("condor_startd", signal.SIGSTOP)
    try:
        nodes = site.cycles_until("p221 out", lambda nodes: nodes["p221"]["state"] == "flock")
        assert nodes["p220"]["state"] in ("local", "unknown") and nodes["p220"]["foreign_jobs"] == 0
        assert not site.pool.world.processes("condor_drain")
    finally:
        site.regular["p220"].signal("condor_startd", signal.SIGCONT)
    site.cycles_until("p220 out", lambda nodes: nodes["p220"]["state"] == "flock")


def test_a_collector_that_dies_changes_nothing_and_one_that_is_young_holds_everything(site: Site) -> None:
    foreign = lend(site)
    site.configure(settings={"collector_age": 25})
    site.cm.signal("condor_master", signal.SIGSTOP)
    site.cm.signal("condor_collector", signal.SIGKILL)
    try:
        answer = site.shepherd("cycle", check=False)
        assert answer.rc == 1 and "shepherd: the pool cannot be seen: condor_status failed" in answer.stderr
    finally:
        site.cm.signal("condor_master", signal.SIGCONT)
    site.pool.wait_startds("p220", "f220", "p221", "f221")
    site.pool.wait(lambda: len(site.pool.ads("-schedd", attributes=["Name"])) == 2, "both access points")
    # More local work than the reserve can take: a shepherd that believed this collector would act.
    local = site.pool.submit(site.cm, jobs(600, 8))
    status = site.status()
    assert any("listens only since" in reason for reason in status["cycle"]["frozen"]), status["cycle"]
    assert {node["name"]: node["state"] for node in status["nodes"]}["p220"] == "flock"
    assert site.running(site.remote, foreign) == ["f220"]
    nodes = site.cycles_until("p220 back", lambda nodes: nodes["p220"]["state"] == "local")
    assert nodes["p221"]["local_jobs"] >= 1
    site.pool.wait(lambda: site.running(site.cm, local).count("p220") == 4, "local jobs on p220")


def test_a_regular_startd_that_restarts_beside_an_open_one_comes_first(site: Site) -> None:
    """A drain is lost with its startd: both sides are open. Local work wins."""
    foreign = lend(site)
    site.regular["p220"].signal("condor_startd", signal.SIGKILL)
    nodes = site.cycles_until("the conflict", lambda nodes: nodes["p220"]["state"] in ("conflict", "local"))
    nodes = site.cycles_until("p220 local", lambda nodes: nodes["p220"]["state"] == "local")
    assert nodes["p220"]["foreign_jobs"] == 0
    assert site.running(site.remote, foreign) != ["f220"]


def test_a_node_that_reboots_comes_up_local(site: Site) -> None:
    lend(site)
    for master in (site.regular["p220"], site.flocking["p220"]):
        master.kill()
    for master in (site.flocking["p220"], site.regular["p220"]):
        master.start()
    site.pool.wait(lambda: open_sides(site)[0] == ["p220"], "p220 open and f220 closed")
    nodes = site.cycles_until("p220 local", lambda nodes: nodes["p220"]["state"] == "local" and not nodes["p220"]["foreign_jobs"])
    assert nodes["p220"]["open_until"] == 0
    # And is lent again. (The foreign access point waits for its job until the job's own lease is over.)
    site.remote.run(["condor_rm", "-all"], check=False)
    site.cycles_until("p220 out again", lambda nodes: nodes["p220"]["state"] == "flock")


def worker_of(site: Site, daemon: subprocess.Popen[bytes]) -> int:
    """The worker's process as the machine sees it, 0 when there is none."""
    pids = [pid for pid in site.pool.world.processes("python3") if b"shepherd.daemon.worker" in _command_line(pid)]
    return pids[0] if pids else 0


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parents(site: Site) -> list[int]:
    """The shepherds, the eldest first. (Not by number: numbers begin anew.)"""
    pids = [pid for pid in site.pool.world.processes("python3") if b"shepherd.cli.main" in _command_line(pid)]
    return sorted(pids, key=_start_time)


def _start_time(pid: int) -> int:
    """Clock ticks from boot to the process's start, field 22 of proc_pid_stat(5); 0 when it has ended meanwhile."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0


def test_workers_and_shepherds_that_are_killed(site: Site) -> None:
    """Killed again and again, at whatever point: both sides are never open at once, and it ends where it should."""
    site.configure(settings={"cycle": 6, "lease": 40}, pool={"timeout": 5})
    foreign = site.pool.submit(site.remote, jobs(3000, 4, foreign=True))
    witness = site.pool.submit(site.cm, jobs(3000, requirements='TARGET.Machine == "p221.site.test"'))
    site.pool.wait(lambda: site.running(site.cm, witness) == ["p221"], "the witness")
    daemon = site.daemon()
    try:
        killed = 0
        end = time.monotonic() + 600
        while time.monotonic() < end:
            worker = worker_of(site, daemon)
            if worker and killed < 8:
                time.sleep(0.4 + 0.7 * killed % 3)
                os.kill(worker, signal.SIGKILL)
                killed += 1
                site.pool.wait(lambda worker=worker: worker_of(site, daemon) not in (0, worker), "a new worker")  # type: ignore[misc]
            assert all(len(sides) <= 1 for sides in open_sides(site))
            if killed >= 8 and site.running(site.remote, foreign) == ["f220"] * 4:
                break
        assert killed == 8 and site.running(site.remote, foreign) == ["f220"] * 4, site.log[-3000:]
        # A worker is named when it has completed a cycle; one that ended in its first one is told of as an error.
        told = ("worker pid=", "the worker ended in the middle of a cycle")
        site.pool.wait(lambda: sum(site.log.count(each) for each in told) > killed, "a word on each worker")

        # A second one waits, and takes over from one that is killed.
        second = site.daemon()
        site.pool.wait(lambda: "standby lock=" in site.log, "the second one's word")
        leaders = site.log.count("leader lock=")
        os.kill(_parents(site)[0], signal.SIGKILL)
        site.pool.wait(lambda: site.log.count("leader lock=") > leaders, "a new leader")
        local = site.pool.submit(site.cm, jobs(3000, 7))
        site.pool.wait(lambda: site.running(site.cm, local).count("p220") == 4, "local jobs on p220", 300)
        assert site.running(site.remote, foreign) == [] and site.running(site.cm, witness) == ["p221"]
        assert site.starts(site.cm, witness) == [1]
        second.kill()
    finally:
        for pid in _parents(site):
            os.kill(pid, signal.SIGKILL)
        daemon.kill()
        site.pool.wait(lambda: not _parents(site), "the end of the shepherds")


def test_without_a_shepherd_the_flock_closes_by_itself(site: Site) -> None:
    site.configure(settings={"lease": 60})
    foreign = lend(site)
    opened = site.status()["nodes"][0]["open_until"]
    site.pool.wait(lambda: time.time() > opened + 8, "the lease's end", 180)
    assert open_sides(site)[0] == []
    # What runs goes on; nothing new begins.
    more = site.pool.submit(site.remote, jobs(60, 3, foreign=True))
    time.sleep(12)
    assert site.running(site.remote, foreign) == ["f220"] and site.running(site.remote, more) == []


def test_an_access_point_that_vanishes_is_no_empty_queue(site: Site) -> None:
    site.configure(
        settings={"demand_age": 12}, scope={"access_points": ["submit.site.test"], "foreign_domains": ["flock-in.test"]}
    )
    site.cycles_until("p220 or p221 out", lambda nodes: any(node["state"] == "flock" for node in nodes.values()))
    before: dict[str, Any] = {node["name"]: node["state"] for node in site.status()["nodes"]}
    site.cm.signal("condor_schedd", signal.SIGSTOP)
    try:

        def frozen() -> list[str]:
            return [reason for reason in site.status()["cycle"]["frozen"] if "access point submit.site.test" in reason]

        site.pool.wait(frozen, "everything held")
        assert {node["name"]: node["state"] for node in site.status()["nodes"]} == before
    finally:
        site.cm.signal("condor_schedd", signal.SIGCONT)
