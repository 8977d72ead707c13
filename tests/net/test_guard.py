# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gateway's guard: what another hand changes comes back at once, and what is not the guard's to change is told."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import frames, namespaces

from . import rules, topology
from .crossroads import BY_NAME, LAN, VLAN, WAN, Crossroads, crossroads
from .service import GatewayService

#: Longer than any test waits: what comes back came back because the kernel told of it.
NO_POLL = 600
PATIENCE = 20
NODE, NODE_MAC = BY_NAME[VLAN].neighbour, BY_NAME[VLAN].mac


@dataclass
class Guard:
    """A guard that runs, and what it says."""

    roads: Crossroads
    gateway: GatewayService
    process: subprocess.Popen[bytes]
    socket: socket.socket
    log: Path

    def told(self, seconds: float) -> list[str]:
        """Return what it tells systemd for a while."""
        found = []
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            with contextlib.suppress(socket.timeout):
                found.append(self.socket.recv(100).decode())
        return found

    def shell(self, text: str) -> str:
        """Run a script on the gateway."""
        return topology.command("ip", "netns", "exec", self.roads.gateway, "sh", "-c", text)

    def seen(self) -> str:
        """Return everything that the service has in the kernel."""
        shown = self.shell(
            "ip -4 rule show; ip -4 route show table 2512; nft --stateless list ruleset; ip -4 neigh show nud permanent;"
            f"ip -br link show {VLAN} | tr -s ' ' | cut -d' ' -f3; grep . /proc/sys/net/ipv4/conf/*/forwarding"
            f" /proc/sys/net/ipv4/conf/{VLAN}/*"
        )
        # What packets leave in the sets that count them comes and goes.
        return "\n".join(sorted(line for line in shown.splitlines() if "limit rate" not in line and "ct count" not in line))


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def wait_until_as(guard: Guard, before: str) -> None:
    """Wait until the kernel has again what it had."""
    end = time.monotonic() + PATIENCE
    while (now := guard.seen()) != before:
        if time.monotonic() > end:
            assert now == before
        time.sleep(0.05)


@contextlib.contextmanager
def running(roads: Crossroads, directory: Path, poll: float, watchdog: float = 0, health_command: str = "") -> Iterator[Guard]:
    vlan = directory / "vlan.json"
    switches = rules.vlan_switches("submit")
    vlan.write_text(json.dumps({"interface": VLAN, "mac": topology.GATEWAY_MAC, "switches": switches}))
    gateway = GatewayService(roads.path, directory, environment={"SHEEPFOLD_VLAN": str(vlan)})
    gateway.describe(health_command=health_command)
    gateway("load")
    address = str(directory / "notify")
    log = directory / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, log.open("wb") as output:
        sock.bind(address)
        environment = {**gateway.environment, "NOTIFY_SOCKET": address}
        if watchdog:
            environment["WATCHDOG_USEC"] = str(int(watchdog * 1_000_000))
        words = gateway.words("guard", "--poll", str(poll))
        process = subprocess.Popen(words, env=environment, stderr=output)
        try:
            sock.settimeout(PATIENCE)
            assert sock.recv(100) == b"READY=1"
            yield Guard(roads, gateway, process, sock, log)
        finally:
            process.kill()
            process.wait()
            gateway("remove")


@pytest.fixture(name="guard", scope="module")
def fixture_guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    with crossroads() as roads, running(roads, tmp_path_factory.mktemp("guard"), NO_POLL) as guard:
        yield guard


HANDS = {
    "nft flush ruleset": "nft flush ruleset",
    "the barrier's table": "nft delete table ip flock_routing",
    "an element out of a set": "nft delete element inet flock_gateway denied '{ 10.0.0.0/8 }'",
    "the barrier's rule": "ip rule del pref 2516",
    "a policy rule": "ip rule del pref 2513",
    "a route out of the table": "ip route del blackhole 10.0.0.0/8 table 2512",
    "a route that leads out": f"ip route replace 10.0.0.0/8 via {BY_NAME[LAN].neighbour} table 2512",
    "a route beside ours": f"ip route add 10.0.0.0/8 via {BY_NAME[LAN].neighbour} metric 5 table 2512",
    "the table of ARP": "nft delete table arp flock_arp",
    "a false permanent neighbour": f"ip neigh replace {NODE} lladdr 02:66:66:66:66:66 nud permanent dev {VLAN}",
    "a neighbour that is gone": f"ip neigh del {NODE} dev {VLAN}",
    "the interface's MAC address": f"ip link set {VLAN} address 02:42:0a:1b:02:02",
    "source validation": f"echo 0 > /proc/sys/net/ipv4/conf/{VLAN}/rp_filter",
    "forwarding": f"echo 0 > /proc/sys/net/ipv4/conf/{WAN}/forwarding",
}


@pytest.mark.parametrize("hand", HANDS)
def test_what_another_hand_changes_comes_back(guard: Guard, hand: str) -> None:
    before = guard.seen()
    guard.shell(HANDS[hand])
    wait_until_as(guard, before)


def test_switches_that_the_kernel_does_not_tell_of_come_back_with_the_next_look(tmp_path: Path) -> None:
    with crossroads() as roads, running(roads, tmp_path, 0.2) as guard:
        before = guard.seen()
        guard.shell(f"for key in arp_ignore accept_redirects proxy_arp; do echo 1 > /proc/sys/net/ipv4/conf/{VLAN}/$key; done")
        guard.shell(f"echo 0 > /proc/sys/net/ipv4/conf/{VLAN}/arp_announce")
        wait_until_as(guard, before)


def test_who_switches_forwarding_on_gets_it_and_keeps_it(guard: Guard) -> None:
    before = guard.seen()
    guard.shell("echo 1 > /proc/sys/net/ipv4/ip_forward")
    wait_for(lambda: "flock_routing" not in guard.seen() and "2516:" not in guard.seen(), "a barrier for what is the site's")
    everybody = {(source, target) for source in (LAN, WAN) for target in BY_NAME if target != VLAN}
    assert {(one.source, one.target) for one in guard.roads.crossings([LAN, WAN])} == everybody
    # Whatever fails, the VLAN closes: that is no matter of the site's own routing.
    guard.gateway("close")
    wait_for(lambda: guard.roads.switch("all") == "1", "net.ipv4.ip_forward")
    assert guard.roads.switch(WAN) == guard.roads.switch(LAN) == "1"
    guard.shell("echo 0 > /proc/sys/net/ipv4/ip_forward")
    wait_until_as(guard, before)


def test_a_rule_before_ours_is_told(guard: Guard) -> None:
    guard.shell("ip rule add pref 1000 lookup main")
    opens = "a packet from 10.27.2.220 to the denied address 10.0.0.1 would find a way"
    wait_for(lambda: "policy rule 1000: from all lookup main comes before" in guard.log.read_text(), "the rule is not told")
    wait_for(lambda: opens in guard.log.read_text(), "what it opens is not told")
    code, said = guard.gateway.attempt("check")
    assert code == 1 and opens in said
    code, said = guard.gateway.attempt("load")
    assert code == 1 and opens in said and "the VLAN is closed" in said
    guard.shell("ip rule del pref 1000")
    wait_for(lambda: f"{VLAN}@" in guard.shell("ip -br link show up"), "the link stays down")
    wait_for(lambda: "no more: policy rule 1000" in guard.log.read_text(), "that it is gone is not told")
    guard.gateway("load")


def reachable(guard: Guard) -> bool:
    """Return whether a host on the WAN reaches a service of the gateway's own."""
    with namespaces.inside(guard.roads.path):
        service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with service, guard.roads.udp(WAN, 9100) as sock:
        service.bind((BY_NAME[WAN].own, 9100))
        service.settimeout(0.3)
        sock.sendto(b"question", (BY_NAME[WAN].own, 9100))
        with contextlib.suppress(socket.timeout):
            return service.recv(100) == b"question"
        return False


def test_a_host_that_looks_for_its_own_addresses_last_stays_reachable(guard: Guard) -> None:
    """As the kernel's page on VRFs recommends it."""
    before = guard.seen()
    guard.shell("ip rule add pref 32765 table local && ip rule del pref 0")
    wait_for(lambda: "no policy rule 'from all lookup local' comes before" in guard.log.read_text(), "it is not told")
    wait_for(lambda: reachable(guard), "the host cannot be reached")
    assert guard.gateway.attempt("load")[0] == 1
    assert reachable(guard) and f"{VLAN}@" not in guard.shell("ip -br link show up")
    guard.shell("ip rule add pref 0 table local && ip rule del pref 32765")
    wait_until_as(guard, before)


def test_a_load_of_other_settings_is_left_as_it_is(guard: Guard) -> None:
    """The guard hears of it while it goes on, and knows the settings from before."""
    said = len(guard.log.read_text())
    for behind in (True, False):
        guard.gateway.describe(behind)
        guard.gateway("load")
        wait_for(lambda: not guard.told(0.5), "it looks all the time")
        assert (guard.roads.switch(LAN) == "2") == behind
    assert "another hand" not in guard.log.read_text()[said:]


def test_a_link_that_waits_for_its_rules_is_opened(guard: Guard) -> None:
    """As role vlan leaves it where it finds no table."""
    (guard.gateway.run / "sheepfold" / "gateway.closed").touch()
    guard.shell(f"ip link set {VLAN} down")
    wait_for(lambda: f"{VLAN}@" in guard.shell("ip -br link show up"), "the link stays down")
    # Whoever takes it down in an emergency is let be.
    guard.shell(f"ip link set {VLAN} down")
    guard.shell("nft flush ruleset")
    wait_for(lambda: {"flock_gateway", "flock_arp"} <= set(guard.shell("nft list tables").split()), "the tables")
    assert f"{VLAN}@" not in guard.shell("ip -br link show up")
    guard.shell(f"ip link set {VLAN} up")


def is_up(guard: Guard) -> bool:
    return f"{VLAN}@" in guard.shell("ip -br link show up")


def test_what_no_load_has_proven_is_not_opened(tmp_path: Path) -> None:
    """Where the earlier rules do not work either: there is nothing to go back to."""
    well = tmp_path / "well"
    well.touch()
    with crossroads() as roads, running(roads, tmp_path, 0.2, health_command=f"test -e {well}") as guard:
        well.unlink()
        code, said = guard.gateway.attempt("load")
        assert code == 1 and "the VLAN is closed" in said
        guard.shell("nft flush ruleset")
        wait_for(lambda: "flock_gateway" in guard.shell("nft list tables"), "the table")
        wait_for(lambda: f"test -e {well}" in guard.log.read_text(), "it does not ask")
        guard.told(2.5)
        assert not is_up(guard) and guard.gateway.attempt("check")[0] == 1
        well.touch()
        wait_for(lambda: is_up(guard), "the link stays down")
        assert not guard.gateway("check")


def test_what_leads_past_our_rules_is_not_opened(tmp_path: Path) -> None:
    with crossroads() as roads, running(roads, tmp_path, 0.2) as guard:
        guard.shell("ip rule add pref 1000 lookup main")
        assert guard.gateway.attempt("load")[0] == 1
        wait_for(lambda: f"The link {VLAN} is down" in guard.log.read_text(), "that it stays down is not told")
        for _ in range(5):
            guard.told(0.5)
            assert not is_up(guard)
        assert guard.log.read_text().count(f"The link {VLAN} is down") == 1
        guard.shell("ip rule del pref 1000")
        wait_for(lambda: is_up(guard), "the link stays down")
        assert not guard.gateway("check")


def test_a_member_without_a_port_filter_makes_up_no_neighbours(guard: Guard) -> None:
    def ask(count: int) -> int:
        for number in range(count):
            sender = f"10.27.2.{30 + number}"
            message = frames.arp(1, NODE_MAC, sender, "00:00:00:00:00:00", topology.GATEWAY)
            guard.roads.send(VLAN, frames.ethernet(NODE_MAC, frames.BROADCAST, frames.TYPE_ARP, message))
        return sum(f"10.27.2.{30 + number} " in guard.shell(f"ip neigh show dev {VLAN}") for number in range(count))

    assert ask(20) == 0
    # The containers themselves are answered.
    with guard.roads.udp(VLAN, 9100) as sock, guard.roads.udp(WAN, 9100) as server:
        sock.sendto(b"question", (BY_NAME[WAN].neighbour, 9100))
        assert server.recv(100) == b"question"


def test_what_comes_and_goes_by_itself_is_not_looked_at(guard: Guard) -> None:
    wait_for(lambda: not guard.told(0.5), "it looks all the time")
    for number in range(60, 90):
        guard.roads.ip(f"neigh replace 10.27.2.{number} lladdr 02:00:00:00:00:01 nud stale dev {VLAN}")
        guard.roads.ip(f"route replace 192.168.{number}.0/24 dev {LAN}")
    assert not guard.told(0.5)


def test_it_says_that_it_looks_and_a_stopped_one_does_not(tmp_path: Path) -> None:
    with crossroads() as roads, running(roads, tmp_path, NO_POLL, watchdog=3) as guard:
        assert "WATCHDOG=1" in guard.told(5)
        os.kill(guard.process.pid, signal.SIGSTOP)
        guard.told(0.2)
        assert guard.told(4) == []
