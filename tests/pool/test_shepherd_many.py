"""The shepherd on a real pool of twelve nodes with two startds each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from condor_harness import Pool
from shepherd_site import Site, jobs

COUNT = 12


@pytest.fixture(scope="module")
def site(new_pool: Callable[[str], Pool]) -> Site:
    made = Site(new_pool, count=COUNT, cores=2)
    made.configure(settings={"reserve": 0.25, "cycle": 60, "lease": 300})
    return made


def test_the_queue_falls_and_local_work_comes(site: Site) -> None:
    witness = site.pool.submit(site.cm, jobs(6000, requirements='TARGET.Machine == "p225.site.test"'))
    site.pool.wait(lambda: site.running(site.cm, witness) == ["p225"], "the witness")
    # Jobs of a whole node each: five nodes are busy, whichever of them the negotiator fills first.
    foreign = site.pool.submit(site.remote, jobs(6000, 5, cores=2, foreign=True))
    nodes = site.cycles_until("nine nodes out", lambda nodes: sum(node["state"] == "flock" for node in nodes.values()) == 9)
    assert nodes["p225"]["state"] == "local"
    site.pool.wait(lambda: len(site.running(site.remote, foreign)) == 5, "foreign jobs", 300)
    nodes = site.cycles_until("foreign jobs in the ads", lambda nodes: sum(node["foreign_jobs"] for node in nodes.values()) == 5)
    # Six cores are the reserve; one of them is the witness's. What fits there starts at once, without any cycle.
    first = site.pool.submit(site.cm, jobs(6000, 5))
    site.pool.wait(lambda: len(site.running(site.cm, first)) == 5, "jobs on the reserve")
    # Four nodes are lent and idle: they come back first, within two cycles and what the ads lag.
    idle = {name for name, node in nodes.items() if node["state"] == "flock" and not node["foreign_jobs"]}
    assert len(idle) == 4
    second = site.pool.submit(site.cm, jobs(6000, 4))
    site.pool.wait(
        lambda: site.cycle()["p225"]["local_jobs"] >= 1 and len(site.running(site.cm, second)) == 4, "jobs on idle nodes", 240
    )
    assert len(site.running(site.remote, foreign)) == 5
    assert set(site.running(site.cm, second)) <= idle
    # Everything is wanted: all come back, and the foreign jobs go when their time is up.
    third = site.pool.submit(site.cm, jobs(6000, 14))
    site.cycles_until(
        "all local",
        lambda nodes: all(node["state"] == "local" for node in nodes.values()) and len(site.running(site.cm, third)) == 14,
    )
    assert site.running(site.remote, foreign) == []
    assert site.starts(site.cm, witness) == [1] and site.running(site.cm, witness) == ["p225"]
    for cluster in (first, second, third):
        assert set(site.starts(site.cm, cluster)) == {1}
