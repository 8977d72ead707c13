# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gateway is a router for the flock, and for nobody else that it was none for before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.host import routing_check
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import namespaces
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.judge import LEAK, PASS, REPORTED

from .crossroads import BY_NAME, LAN, VLAN, WAN, Crossing, Crossroads, crossroads
from .service import GatewayService

OTHERS = tuple(name for name in BY_NAME if name != VLAN)


@pytest.fixture(name="roads")
def fixture_roads() -> Iterator[Crossroads]:
    with crossroads() as made:
        yield made


@pytest.fixture(name="gateway")
def fixture_gateway(roads: Crossroads, tmp_path: Path) -> GatewayService:
    return GatewayService(roads.path, tmp_path)


def pairs(found: set[Crossing]) -> set[tuple[str, str]]:
    return {(crossing.source, crossing.target) for crossing in found}


def without_vlan(found: set[Crossing]) -> set[Crossing]:
    return {crossing for crossing in found if VLAN not in (crossing.source, crossing.target)}


def flock_works(roads: Crossroads) -> bool:
    """Return whether a container's datagram to the WAN is translated and answered."""
    with roads.udp(VLAN, 9100) as container, roads.udp(WAN, 9100) as server:
        container.sendto(b"question", (BY_NAME[WAN].neighbour, 9100))
        question, peer = server.recvfrom(100)
        server.sendto(b"answer", peer)
        return (question, peer[0], container.recv(100)) == (b"question", BY_NAME[WAN].own, b"answer")


@pytest.mark.parametrize("behind", [False, True], ids=["plain", "egress_allow"])
def test_a_host_that_was_no_router_routes_for_the_flock_alone(roads: Crossroads, gateway: GatewayService, behind: bool) -> None:
    assert not roads.crossings()
    gateway.describe(behind)
    gateway("load")
    assert roads.switch(WAN) != "0" and (roads.switch(LAN) != "0") == behind
    # What the flock begins itself is the business of its own probes.
    assert not roads.crossings(OTHERS)
    assert flock_works(roads)
    assert roads.connects(VLAN, LAN, 9618) == behind
    # Each of the two layers is enough.
    roads.nft("flush ruleset\n")
    assert not roads.crossings()
    gateway("load")
    roads.ip(*(f"rule del pref 2516 iif {name}" for name in ([WAN, LAN] if behind else [WAN])))
    hairpins = {(name, name) for name in BY_NAME}
    assert not pairs(roads.crossings(OTHERS)) - hairpins
    # Without both the kernel routes: the above can fail.
    roads.nft("delete table ip flock_routing\n")
    open_ = {WAN, LAN} if behind else {WAN}
    assert pairs(roads.crossings(OTHERS)) == {(source, target) for source in open_ for target in OTHERS}
    gateway("load")
    assert not roads.crossings(OTHERS)
    gateway("remove")
    assert {roads.switch(name) for name in BY_NAME} == {"0"}
    assert {roads.switch(name, "src_valid_mark") for name in BY_NAME} == {"0"}
    assert not roads.crossings()


def test_a_host_that_was_a_router_stays_one(roads: Crossroads, gateway: GatewayService) -> None:
    roads.sysctl({"all/forwarding": 1})
    before = roads.crossings()
    assert pairs(before) == {(source, target) for source in BY_NAME for target in BY_NAME}
    gateway.describe()
    gateway("load")
    after = roads.crossings(OTHERS)
    assert after == without_vlan(before)
    assert flock_works(roads)
    gateway("close")
    assert roads.crossings(OTHERS) == after
    gateway("remove")
    assert {roads.switch(name) for name in BY_NAME} == {"1"}


def test_one_interface_that_forwarded_goes_on(roads: Crossroads, gateway: GatewayService) -> None:
    """As networkd's IPv4Forwarding= does it, without net.ipv4.ip_forward."""
    roads.sysctl({f"{WAN}/forwarding": 1, "docker0/forwarding": 1})
    before = without_vlan(roads.crossings())
    assert {crossing.source for crossing in before} == {WAN, "docker0"}
    gateway.describe(behind=True)
    gateway("load")
    assert roads.switch(LAN) == "2"
    assert roads.crossings(OTHERS) == before
    assert flock_works(roads)


def test_who_switches_forwarding_on_later_gets_it_and_keeps_it(roads: Crossroads, gateway: GatewayService) -> None:
    gateway.describe()
    gateway("load")
    roads.sysctl({"all/forwarding": 1})  # as Docker does
    gateway("load")
    everything = {(source, target) for source in OTHERS for target in OTHERS}
    assert pairs(roads.crossings(OTHERS)) == everything
    assert flock_works(roads)
    gateway("close")
    assert {roads.switch(name) for name in ("all", *BY_NAME)} == {"1"}
    assert pairs(roads.crossings(OTHERS)) == everything
    roads.sysctl({"all/forwarding": 0})
    gateway("load")
    assert roads.switch(WAN) == "2"
    assert not roads.crossings(OTHERS)
    assert flock_works(roads)


def test_what_an_interface_does_not_need_any_more_is_switched_off(roads: Crossroads, gateway: GatewayService) -> None:
    gateway.describe(behind=True)
    gateway("load")
    assert roads.switch(LAN) == "2"
    gateway.describe()
    gateway("load")
    assert roads.switch(LAN) == roads.switch(LAN, "src_valid_mark") == "0"
    assert not roads.crossings(OTHERS)


@pytest.mark.parametrize("theirs", [False, True], ids=["ours", "theirs"])
def test_what_version_1_0_switched_on_is_taken_over(roads: Crossroads, gateway: GatewayService, theirs: bool) -> None:
    gateway.describe()
    (gateway.run / "sheepfold").mkdir()
    note = gateway.run / "sheepfold" / "gateway.forwarding"
    note.write_text(f"{WAN}/src_valid_mark\n{WAN}/forwarding\n{VLAN}/forwarding")
    roads.sysctl({f"{WAN}/forwarding": 1, f"{WAN}/src_valid_mark": 1, f"{VLAN}/forwarding": 1})
    if theirs:
        roads.sysctl({"all/forwarding": 1})
    gateway("load")
    assert not note.exists()
    assert roads.switch(WAN) == ("1" if theirs else "2")
    assert bool(roads.crossings(OTHERS)) == theirs


def look(roads: Crossroads) -> dict[str, tuple[str, str]]:
    """Return what role verify says of each interface: result and why."""

    def work() -> list[dict[str, str]]:
        namespaces.enter(roads.path)
        return [finding.as_dict() for finding in routing_check.look(VLAN)]

    found = namespaces.Child(work).result()
    return {name: (item["result"], item["why"]) for name in OTHERS for item in found if f"by {name} (" in item["what"]}


def test_verify_tells_who_is_routed(roads: Crossroads, gateway: GatewayService) -> None:
    gateway.describe(behind=True)
    gateway("load")
    assert {result for result, _ in look(roads).values()} == {PASS} and set(look(roads)) == set(OTHERS)
    roads.ip("rule del pref 2516 iif wan")
    leaks = {name: why for name, (result, why) in look(roads).items() if result == LEAK}
    assert set(leaks) == {WAN} and "dev em1" in leaks[WAN] and "dev docker0" in leaks[WAN]
    gateway("load")
    # A rule before ours leads by the barrier.
    roads.ip("rule add pref 1000 lookup main")
    assert {name for name, (result, _) in look(roads).items() if result == LEAK} == {WAN, LAN}
    roads.ip("rule del pref 1000")
    roads.sysctl({"all/forwarding": 1})
    gateway("load")
    assert {result for result, _ in look(roads).values()} == {REPORTED}
