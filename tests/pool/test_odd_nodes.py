"""Nodes and jobs as some sites have them, on a real pool: names of their own, bytes that are no UTF-8, parallel jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from condor_harness import Pool
from condor_harness.pool import CM_AND_AP, EP
from small_site import CENTRAL, JOB, REGULAR

# The bindings' commands are for daemons that let us administer them.
COMMANDS = "ALLOW_ADMINISTRATOR = condor@site.test\n"
# Without a token of their own they would present themselves with the signing key, as condor@password.
QUIET = "NEGOTIATOR_INTERVAL = 100000\nSEC_TOKEN_DIRECTORY = $(LOCAL_DIR)/tokens.d\n"
REASON = b"caf\xe9"


class Site:
    def __init__(self, make: Callable[[str], Pool]) -> None:
        self.pool = make("odd")
        self.cm = self.pool.start_master("submit", CM_AND_AP + CENTRAL + QUIET)
        self.pool.start_master("p220", EP + REGULAR + COMMANDS + "STARTD_NAME = second\n")
        self.pool.start_master("p221", EP + REGULAR)
        self.pool.wait_startds("p220", "p221")

    def module(self, module: str, **arguments: Any) -> dict[str, Any]:
        answer = self.pool.module(self.cm, module, **arguments)
        assert not answer.get("failed"), answer["msg"]
        return answer

    def see(self, name: str, **arguments: Any) -> dict[str, Any]:
        return dict(self.module("startd_info", name=[name], settle=3, **arguments)["startds"][0])


@pytest.fixture(scope="module")
def site(new_pool: Callable[[str], Pool]) -> Site:
    return Site(new_pool)


@pytest.mark.parametrize("transport", ["tools", "bindings"])
def test_a_startd_with_a_name_of_its_own_is_drained_and_opened(site: Site, transport: str) -> None:
    for state in ("drained", "on"):
        answer = site.module("startd", name=["p220"], state=state, settle=3, wait=90, transport=transport)
        assert answer["changed"] and answer["startds"][0]["state"] == state


def test_one_drain_reason_that_is_no_text_leaves_the_rest_to_be_seen(site: Site) -> None:
    (site.pool.world.root / "tmp/reason").write_bytes(REASON)
    site.cm.run(["sh", "-c", 'condor_drain -reason "$(cat /tmp/reason)" p221'])
    site.pool.wait(lambda: site.see("p221")["state"] == "drained", "p221 drained")
    for transport in ("tools", "bindings"):
        seen = site.see("p221", transport=transport)
        assert seen["state"] == "drained" and seen["drain_reason"]
        assert site.see("p220", transport=transport)["state"] == "on"
        refused = site.pool.module(site.cm, "startd", name=["p221"], state="on", settle=3, transport=transport)
        assert refused["failed"] and "was drained by somebody else" in refused["msg"]
    site.cm.run(["condor_drain", "-cancel", "p221"])


def test_a_parallel_job_counts_with_all_its_hosts(site: Site) -> None:
    text = JOB.replace("executable", "universe = parallel\nmachine_count = 4\nexecutable", 1)
    cluster = site.pool.submit(site.cm, f"{text}arguments = 100\nrequest_cpus = 2\nqueue\n")
    try:
        site.pool.wait(lambda: site.module("queue_info")["jobs"], "the job in the queue")
        answer = site.module("queue_info")
        assert (answer["jobs"], answer["cores"]) == (4, 8)
    finally:
        site.cm.run(["condor_rm", cluster])
