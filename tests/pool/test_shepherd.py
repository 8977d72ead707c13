"""The shepherd on a real pool."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from condor_harness import Pool
from shepherd_site import RUNNING, Site, jobs


@pytest.fixture(scope="module")
def site(new_pool: Callable[[str], Pool]) -> Site:
    return Site(new_pool)


def test_the_queue_as_it_is(site: Site) -> None:
    """Groups, cores, where jobs could run, since when they wait; the foreign access point is left out."""
    began = int(time.time())
    # Nothing starts meanwhile, nor before it is removed: a claim for a job that is gone by then may last.
    site.cm.signal("condor_negotiator", signal.SIGSTOP)
    clusters: list[str] = []
    try:
        two_cores = jobs(600, 3, requirements='TARGET.Machine == "p221.site.test"').replace("queue", "request_cpus = 2\nqueue")
        clusters += [
            site.pool.submit(site.cm, two_cores),
            site.pool.submit(site.cm, jobs(600, 2, requirements="TARGET.HasUnicorns")),
            # Names without a scope: the machine's, the job's.
            site.pool.submit(site.cm, jobs(600, 1, requirements="Memory > 100 && RequestCpus < 9")),
        ]
        foreign = site.pool.submit(site.remote, jobs(600, 5, foreign=True))

        def seen() -> dict[str, Any]:
            answer = site.pool.module(site.cm, "queue_info", settle=3, foreign_domains=["flock-in.test"])
            assert not answer.get("failed") and answer["unknown"] == [], answer
            return answer

        # Since when a job waits is said of those that have waited for a while.
        site.pool.wait(lambda: all(group["since"] for group in seen()["idle"]), "jobs that have waited")
        answer = seen()
        assert [each["name"] for each in answer["access_points"]] == ["submit.site.test"]
        assert {group["jobs"]: (group["cores"], group["machines"]) for group in answer["idle"]} == {
            3: (2, ["p221.site.test"]),
            2: (1, []),
            1: (1, None),
        }
        assert all(began - 1 <= group["since"] <= time.time() for group in answer["idle"])
        assert (answer["jobs"], answer["cores"]) == (6, 9)
        # A queue that does not answer is not an empty one.
        site.pool.wait(lambda: seen()["access_points"][0]["idle_jobs"] == 6, "all jobs in the access point's ad")
        site.cm.signal("condor_schedd", signal.SIGSTOP)
        hung = site.pool.module(site.cm, "queue_info", settle=3, timeout=2, foreign_domains=["flock-in.test"])
        assert "cannot be read" in hung["unknown"][0] and hung["jobs"] == 6
    finally:
        site.cm.signal("condor_schedd", signal.SIGCONT)
        if clusters:
            site.remove(site.cm, *clusters)
        site.cm.signal("condor_negotiator", signal.SIGCONT)
    site.remove(site.remote, foreign)


def test_out_to_the_flock_and_back(site: Site) -> None:
    """The queue is empty: one node goes out, the other is the reserve. Foreign jobs run there. Local jobs come: it is back."""
    witness = site.pool.submit(site.cm, jobs(3000, requirements='TARGET.Machine == "p221.site.test"'))
    site.pool.wait_job(site.cm, witness, RUNNING)
    foreign = site.pool.submit(site.remote, jobs(1200, 3, foreign=True))

    nodes = site.cycles_until("p220 out", lambda nodes: nodes["p220"]["state"] == "flock")
    assert nodes["p221"]["state"] == "local" and nodes["p221"]["local_jobs"] == 1
    site.pool.wait(lambda: site.running(site.remote, foreign) == ["f220"] * 3, "foreign jobs on f220")
    nodes = site.cycles_until("foreign jobs in the ads", lambda nodes: nodes["p220"]["foreign_jobs"] == 3)
    # The other one is the reserve, and stays.
    assert nodes["p221"]["state"] == "local" and nodes["p221"]["actions"] == []
    text = site.shepherd("status").stdout
    assert "flock" in text and "1 flock, 1 local" in text
    assert "lease until 20" in site.shepherd("explain", "p220").stdout

    local = site.pool.submit(site.cm, jobs(1800, 6))
    # On the reserve at once, the others where the foreign ones are. How many of the reserve's three free cores one round of
    # negotiation takes is HTCondor's affair: 25.14 leaves the third to a later one.
    site.pool.wait(lambda: site.running(site.cm, local).count("p221") >= 2, "local jobs on the reserve")
    site.cycles_until("p220 back", lambda nodes: nodes["p220"]["state"] == "local" and site.running(site.cm, local).count("p220"))
    site.pool.wait(lambda: len(site.running(site.cm, local)) == 6, "all local jobs run")
    assert site.running(site.remote, foreign) == []
    assert site.starts(site.cm, witness) == [1] and site.running(site.cm, witness) == ["p221"]
    site.remove(site.remote, foreign)
    site.remove(site.cm, local)


def test_override_and_plan(site: Site) -> None:
    site.cycles_until("p220 out", lambda nodes: nodes["p220"]["state"] == "flock")
    site.shepherd("off", "--reason", "power work", "--for", "1h")
    planned = site.shepherd("plan").stdout
    assert "p220 (flock): f220: close\n" in planned and "switched off by" in planned
    nodes = site.cycles_until("all back", lambda nodes: all(node["state"] == "off" for node in nodes.values()))
    assert "power work" in nodes["p220"]["reason"]
    site.shepherd("on")
    site.cycles_until("p220 out again", lambda nodes: nodes["p220"]["state"] == "flock")
    site.shepherd("off", "--reason", "end")
    site.cycles_until("all back", lambda nodes: all(node["state"] == "off" for node in nodes.values()))
    site.shepherd("on")


def test_check_mode_is_what_happens(site: Site) -> None:
    settings = {**json.loads(site.pool.world.read("/etc/sheepfold/shepherd/shepherd.json"))["settings"]}
    options = {"settle": 5, "settings": settings, "foreign_domains": ["flock-in.test"]}
    foreseen = {"changed": False}
    for _ in range(10):
        foreseen = site.pool.module(site.cm, "shepherd", _ansible_check_mode=True, **options)
        assert not foreseen.get("failed"), foreseen
        done = site.pool.module(site.cm, "shepherd", **options)
        assert not done.get("failed"), done
        assert foreseen["changed"] == done["changed"]
        if done["changed"]:
            assert [node["actions"] for node in foreseen["nodes"]] == [node["actions"] for node in done["nodes"]]
            break
        time.sleep(2)
    assert foreseen["changed"]
