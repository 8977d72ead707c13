"""A site with two central managers: whatever becomes of one, no look mixes what both know, and never are both sides open."""

from __future__ import annotations

import json
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from condor_harness import Master, Pool, Root
from condor_harness.pool import CM, CM_AND_AP, EP
from small_site import CENTRAL, COMMAND_TOKENS, COMMANDER, FLOCKING, REGULAR

HOSTS = ("10.27.1.1", "10.27.1.2")
OTHER = HOSTS[1]
"""the one that something happens to: the second or the first that the configuration names"""
FLOCK = "10.27.3.1"
# As on a site: what a collector that is restarted has not heard, it does not hear for minutes.
SITE = "COLLECTOR_HOST = {}\nUPDATE_INTERVAL = 300\nMASTER_UPDATE_INTERVAL = 300\n"
SETTLE = 25
COMMANDS = "ALLOW_ADMINISTRATOR = condor@site.test\n"


class Site:
    """Two collectors of the site, in an order; a node whose two startds report to the site's and the flock's."""

    def __init__(self, make: Callable[[str], Pool], order: tuple[str, str]) -> None:
        site = SITE.format(", ".join(f"{host}:9618" for host in order))
        self.pool = make("two")
        self.cms = {
            HOSTS[0]: self.pool.start_master("submit", CM_AND_AP + CENTRAL + site),
            HOSTS[1]: self.pool.start_master("cm2", CM + CENTRAL + site),
        }
        self.pool.start_master("flockcm", CM + CENTRAL, collector=FLOCK, address=FLOCK)
        self.p220 = self.pool.start_master("p220", EP + REGULAR + COMMANDS + site)
        self.f220 = self.pool.add_master(
            "f220",
            EP + FLOCKING,
            address="10.27.2.220",
            keys={"f220": secrets.token_hex(32)},
            token=False,
            collector=FLOCK,
        )
        report = self.pool.token(self.cm, "f220@site.test", ["ADVERTISE_STARTD", "ADVERTISE_MASTER", "READ"])
        self.pool.put_token(self.f220, "report", report)
        self.pool.world.run(["install", "-d", "-m", "0700", COMMAND_TOKENS])
        command = self.pool.token(self.f220, COMMANDER, key="f220")
        self.pool.world.write(f"{COMMAND_TOKENS}/f220", command + "\n", mode=0o600)
        self.f220.start()
        for host in (*HOSTS, FLOCK):
            self.pool.wait(lambda host=host: self.slots(host), f"a slot at {host}")
            self.pool.wait(lambda host=host: self.age(host) > SETTLE, f"the age of the collector at {host}")

    @property
    def cm(self) -> Master:
        return self.cms[HOSTS[0]]

    def ask(self, host: str, kind: str, attributes: str) -> list[dict[str, Any]]:
        answer = self.cm.run(["condor_status", "-pool", host, kind, "-json", "-attributes", attributes], check=False, timeout=60)
        return list(json.loads(answer.stdout)) if answer.rc == 0 and answer.stdout.strip() else []

    def slots(self, host: str) -> list[str]:
        return [ad["Name"] for ad in self.ask(host, "-slots", "Name")]

    def age(self, host: str) -> int:
        own = [ad for ad in self.ask(host, "-collector", "StatsLifetime,MyAddress") if f"<{host}:" in ad["MyAddress"]]
        return int(own[0]["StatsLifetime"]) if own else 0

    def module(self, module: str, **arguments: Any) -> dict[str, Any]:
        settings = {"settle": SETTLE, "timeout": TIMEOUT, "flock_collector": f"{FLOCK}:9618", **arguments}
        return self.pool.module(self.cm, module, **settings)

    def see(self, **arguments: Any) -> dict[str, str]:
        answer = self.module("startd_info", **arguments)
        assert not answer.get("failed"), answer
        return {each["name"]: each["state"] for each in answer["startds"]}

    def open_flock(self, **arguments: Any) -> dict[str, Any]:
        return self.module("startd", name=["f220"], state="on", wait=0, **arguments)


@pytest.fixture(scope="module", params=[HOSTS, HOSTS[::-1]], ids=["local first", "local second"])
def site(request: pytest.FixtureRequest, root: Root, new_pool: Callable[[str], Pool]) -> Iterator[Site]:
    if root.suite != "trixie" and request.param[0] == OTHER:
        pytest.skip("one order is enough for another version")
    made = Site(new_pool, request.param)
    yield made
    made.pool.close()


BOTH = {"p220": "on", "f220": "drained"}
LOOKS = 2
TIMEOUT = 10


@pytest.mark.parametrize("transport", ["tools", "bindings"])
def test_a_hung_collector_is_passed_over_within_the_deadline(site: Site, transport: str) -> None:
    cm = site.cms[OTHER]
    cm.signal("condor_collector", signal.SIGSTOP)
    try:
        for _ in range(LOOKS):
            began = time.monotonic()
            assert site.see(transport=transport) == BOTH
            # Half of the deadline for the hung one, and what a busy machine takes for the rest.
            assert time.monotonic() - began < 3 * TIMEOUT
        refused = site.open_flock(transport=transport)
        assert refused["failed"] and "the regular startd p220 beside it is on" in refused["msg"], refused
    finally:
        cm.signal("condor_collector", signal.SIGCONT)


def test_a_node_is_off_only_when_its_master_says_so(site: Site) -> None:
    stopped = site.module("startd", name=["p220"], state="off", wait=60)
    assert not stopped.get("failed"), stopped
    # Its master's ad is from before, and the next one comes in minutes.
    refused = site.open_flock()
    assert refused["failed"] and "its master has not said yet" in refused["msg"], refused
    waiting = site.module("startd", name=["p220"], state="drained", wait=2)
    assert waiting["failed"] and "its master has not said yet" in waiting["msg"], waiting
    site.p220.reconfig()
    site.pool.wait(lambda: not site.open_flock().get("failed"), "f220 opened")
    # Its ad is from before the lease until the next one is heard, and who is seen closed is not closed again.
    site.pool.wait(lambda: site.see()["f220"] == "on", "f220 seen open")
    # And back; the lease is taken away first.
    closed = site.module("startd", name=["f220"], state="drained", wait=60)
    assert not closed.get("failed"), closed
    back = site.module("startd", name=["p220"], state="on", wait=60)
    assert not back.get("failed"), back["msg"]


def test_a_dead_and_then_a_young_collector_opens_nothing(site: Site) -> None:
    host, cm = OTHER, site.cms[OTHER]
    # Nobody starts it again while we look.
    cm.signal("condor_master", signal.SIGSTOP)
    try:
        cm.signal("condor_collector", signal.SIGKILL)
        for transport in ("tools", "bindings"):
            assert site.see(transport=transport) == BOTH
            assert site.open_flock(transport=transport)["failed"]
    finally:
        cm.signal("condor_master", signal.SIGCONT)
    site.pool.wait(lambda: site.age(host), f"the collector at {host} back")
    site.pool.wait(lambda: not site.slots(host) or pytest.fail("it has heard already"), "a collector that knows nobody")
    for transport in ("tools", "bindings"):
        for _ in range(LOOKS):
            assert site.see(transport=transport) == BOTH
            refused = site.open_flock(transport=transport)
            assert refused["failed"] and "the regular startd p220 beside it is on" in refused["msg"], refused
    # Where the young one is the only one: unknown as long as it is young, and not closed either when it is not.
    alone = site.open_flock(collector=f"{host}:9618", settle=0)
    assert alone["failed"] and not alone["startds"][0]["actions"], alone
