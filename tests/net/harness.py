# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of all probes in a network: attempts, senders, captures, verdicts."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.host import nft_state, routing_check
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.model import (
    JOB,
    OPEN,
    ROOT,
    Attempt,
    Sent,
    Sighting,
    Verdict,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import markers, namespaces, nflog, sender
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets.capture import Capture, Reader
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.probes import (
    from_container_root,
    from_job_user,
    from_outside,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.probes.builder import Builder
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.probes.topology import Gateway, Host, Member, Topology
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.collect import counted_sightings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.judge import FAILED, LEAK, judge
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.report import Entry

from . import forget, topology
from .listeners import LATE_PORT, Listener
from .topology import Network

SETTLE = 0.35
JOB_USER = 60001
LOG_GROUP = 2512
REFUSALS = ("flock forged: ", "flock refused: ", "flock denied: ")

_GATEWAY_PORTS = (22, 53, 111, 9618)
_PRIVATE_PORTS = (22, 53, 80, 111, 389, 2049, 3300, 5432, 6789)


def listeners(net: Network) -> list[Listener]:
    """Return what listens where, so that whatever gets through is answered."""
    private = (*_PRIVATE_PORTS, 9618)
    found: list[Listener] = [
        (net.path("submit"), address, _GATEWAY_PORTS, (53, 111))
        for address in (topology.GATEWAY, "10.27.1.1", topology.WAN_ADDRESS)
    ]
    found += [
        (net.path("storage"), address, private, (53, 80, 111, 2049))
        for address in (topology.STORAGE, topology.PUBLIC_PRIVATE, topology.FORGOTTEN, *topology.METADATA)
    ]
    found += [(net.path("manager"), topology.MANAGER, (22, 9618), (53,))]
    found += [(net.path(node), f"10.27.1.{node[1:]}", (22, 111, 9618), (9, 111)) for node in ("p220", "p221")]
    containers = (("f220", "10.27.2.220"), ("f221", "10.27.2.221"), ("g220", topology.STRAY))
    found += [(net.path(place), address, (9618,), (9,)) for place, address in containers]
    found += [
        (net.path("remote"), topology.INTERNET, (443,), (123, LATE_PORT)),
        (net.path("remote"), topology.RESOLVER, (53,), (53,)),
        (net.path("remote"), topology.UNLISTED, (53,), (53,)),
        (net.path("remote"), topology.PROVIDER, (53, 80), (53,)),
    ]
    return found


def member(place: str, node: str, address: str, mac: str) -> Member:
    """Return a container; the stray one has no node's address of its own."""
    return Member(
        place=place,
        node=node,
        address=address,
        mac=mac,
        vlan=topology.VLAN,
        node_address=f"10.27.1.{node[1:]}",
        node_mac=topology.NODE_MACS[node],
        planned=place != "g220",
    )


def scene(behind: bool = False) -> Topology:
    """Return the site as f220 sees it."""
    gateway = Gateway(
        place="submit",
        address=topology.GATEWAY,
        mac=topology.GATEWAY_MAC,
        vlan=topology.VLAN,
        wan="wan",
        wan_address=topology.WAN_ADDRESS,
        parent="em1",
        others=("10.27.1.1", topology.WAN_ADDRESS),
    )
    manager = Host("manager", topology.MANAGER, (9618,)) if behind else Host("submit", topology.GATEWAY, (9618,))
    private = [Host("storage", address) for address in (topology.STORAGE, topology.PUBLIC_PRIVATE, topology.FORGOTTEN)]
    private += [Host("remote", topology.PROVIDER, (53, 80), (53,)), Host("manager", topology.MANAGER, (22,), (53,))]
    return Topology(
        source=member("f220", "p220", "10.27.2.220", "02:42:0a:1b:02:dc"),
        siblings=(
            member("f221", "p221", "10.27.2.221", "02:42:0a:1b:02:dd"),
            member("g220", "p220", topology.STRAY, topology.STRAY_MAC),
        ),
        gateway=gateway,
        manager=manager,
        private=tuple(private),
        metadata=tuple(Host("storage", address) for address in topology.METADATA),
        internet=(Host("remote", topology.INTERNET, (443,), (123,)), Host("remote", topology.RESOLVER)),
        resolvers=(topology.RESOLVER,),
        other_resolver=topology.UNLISTED,
        listed=(topology.LISTED,),
        unlisted=(topology.UNLISTED,),
        subnet=topology.SUBNET,
        broadcast="10.27.2.255",
        domain="sips",
    )


def attempts(run: int, view: Topology, forwarding: Mapping[str, str]) -> list[Attempt]:
    """Return everything that is tried, with the gateway's forwarding switches as they are."""
    found: list[Attempt] = []
    container = Builder(run, view, found)
    from_job_user.attempts(container)
    from_container_root.attempts(container, forged=True)
    container.add("gateway", "the gateway logs what it refuses", ROOT, "none", OPEN, must=("submit:log:flock refused: ",))
    container.add("private", "the gateway logs what it denies", ROOT, "none", OPEN, must=("submit:log:flock denied: ",))
    container.add("private", "the gateway counts what it denies", ROOT, "none", OPEN, must=("submit:counter:denied network",))
    container.add("allowed", "the gateway logs new flows", ROOT, "none", OPEN, must=("submit:log:flock new: ",))
    late = {"address": topology.INTERNET, "port": LATE_PORT, "kind": "error:3/3", "must": ("remote:*:in",)}
    payload = container.next_token.encode().hex()
    what = "ICMP error to the internet about an open flow"
    container.add("allowed", what, JOB, "udp-close", OPEN, payload=payload, seen_from=topology.WAN_ADDRESS, **late)
    from_outside.from_gateway(Builder(run, view, found, "submit", topology.VLAN))
    others = Builder(run, view, found, "storage", "em1")
    others.udp(
        "canary", topology.INTERNET, 9, OPEN, what="the site's own way through the gateway", may=("*",), must=("remote:*:in",)
    )
    node = Builder(run, view, found, "p220", "em1")
    everywhere: dict[str, Any] = {"may": ("*",), "must": ("submit:stack",)}
    node.tcp("canary", "10.27.1.1", 22, OPEN, what="the site's own way to the gateway", **everywhere)
    watched = [view.private[0], Host("manager", topology.MANAGER), Host("p221", "10.27.1.221"), Host("submit", "10.27.1.1")]
    from_outside.canary(node, "p220", watched)
    wan = from_outside.Outsider(
        "remote", "wan", topology.INTERNET, topology.WAN_MACS["remote"], topology.WAN_MACS["submit"], "submit:wan"
    )
    remote = Builder(run, view, found, "remote", "wan")
    from_outside.inbound(remote, wan)
    inner = [host for host in view.private if host.place in ("storage", "manager")]
    from_outside.through(remote, wan, inner, routing_check.is_others(forwarding["wan"]))
    from_outside.command_port(remote, topology.LISTED, listed=True)
    from_outside.command_port(remote, topology.UNLISTED, listed=False)
    mac = topology.PRIVATE_MACS
    lan = from_outside.Outsider("storage", "em1", topology.STORAGE, mac["storage"], mac["submit"], "submit:em1")
    from_outside.inbound(Builder(run, view, found, "storage", "em1"), lan)
    rogue = from_outside.Outsider(
        "rogue", "eth0", topology.ROGUE, topology.ROGUE_MAC, topology.GATEWAY_MAC, f"submit:{topology.VLAN}"
    )
    unfiltered = Builder(run, view, found, "rogue", "eth0")
    from_outside.member(unfiltered, rogue)
    from_outside.ipv6_through(unfiltered, rogue, topology.ROGUE6, topology.INTERNET6)
    unfiltered.add("member", "the gateway logs what is forged", ROOT, "none", OPEN, must=("submit:log:flock forged: ",))
    return found


def _counted(net: Network) -> dict[str, int]:
    """Return the packets that commented rules have counted, by point."""
    counts: dict[str, int] = {}
    tables = {"p220": nft_state.PORT_TABLE, "p221": nft_state.PORT_TABLE, "submit": nft_state.GATEWAY_TABLE}
    for place, table in tables.items():
        with contextlib.suppress(RuntimeError):  # no such table: nothing is counted
            listed = json.loads(net.nft_json(place, "list", "table", *table))["nftables"]
            counts |= nft_state.counters(listed, place)
    return counts


class Prober:
    """Runs all probes, again and again, in one network."""

    def __init__(self, net: Network, behind: bool = False) -> None:
        self.net = net
        self.scene = scene(behind)
        self.entries: list[Entry] = []
        """The last run, for a report."""
        self._run = random.randrange(markers.RUNS)

    def run(self, settle: float = SETTLE, only: Sequence[str] = ()) -> list[Verdict]:
        """Send, watch, and return the verdicts."""
        self._run += 1
        tried = attempts(self._run, self.scene, self._forwarding())
        if only:
            tried = [attempt for attempt in tried if attempt.probe in only]
        foreign = {
            "submit": (topology.SUBNET, frozenset({topology.VLAN, "lo"})),
            "p220": (topology.SUBNET, frozenset({topology.VLAN, "lo"})),
            "p221": (topology.SUBNET, frozenset({topology.VLAN, "lo"})),
            **{place: (topology.SUBNET, frozenset({"lo"})) for place in ("storage", "manager", "remote")},
        }
        forget.connections(self.net, "submit")
        forget.neighbours(self.net)
        before = _counted(self.net)
        paths = self.net.paths
        capture = Capture([self._run], paths, foreign)
        log = nflog.Listener(paths["submit"], LOG_GROUP)
        sent: list[Sent] = []
        try:
            # The member without a filter comes last: its forgeries must not disturb the others' controls.
            groups: dict[tuple[int, str, str], list[Attempt]] = {}
            for attempt in tried:
                groups.setdefault((int(attempt.probe == "member"), attempt.sender, attempt.who), []).append(attempt)
            for turn in (0, 1):
                children = [
                    sender.send_as(paths[place], JOB_USER, group, settle)
                    for (when, place, _), group in groups.items()
                    if when == turn
                ]
                for child in children:
                    capture.poll(10, until=child)
                    sent += [Sent(**item) for item in child.result()]
            lost = capture.finish(0.05)
            assert lost == 0, f"the capture lost {lost} packets"
            # The member without a filter is nobody's to protect.
            neighbours = {place: table for place, table in capture.neighbours().items() if place != "rogue"}
            after = _counted(self.net)
            points = {point for point, count in after.items() if count > before.get(point, 0)}
            messages = log.messages()
            points |= {f"submit:log:{prefix}" for prefix, _ in messages}
            sightings = capture.sightings() + counted_sightings(tried, points) + self._logged(tried, messages)
        finally:
            capture.close()
            log.close()
        verdicts = judge(tried, sent, sightings, neighbours, paths)
        self.entries = [Entry(v.attempt.probe, v.attempt.what, v.attempt.sender, v.result, v.why) for v in verdicts]
        return verdicts

    def _forwarding(self) -> dict[str, str]:
        with namespaces.inside(self.net.path("submit")):
            return routing_check.forwarding()

    def _logged(self, tried: Sequence[Attempt], messages: Iterable[tuple[str, bytes]]) -> list[Sighting]:
        """Return where the log calls something refused that is meant to work."""
        good = {key for attempt in tried if attempt.expect == OPEN for key in (attempt.token, f"tcp:{attempt.source_port}")}
        reader = Reader([self._run])
        return [
            Sighting(key, f"submit:log:{prefix}")
            for prefix, packet in messages
            if prefix in REFUSALS
            for key, _, _ in reader.ip(packet)
            if key in good
        ]


def wrong(prober: Prober, left_out: Container[str] = ()) -> list[Verdict]:
    """Run all probes and return what leaked or failed.

    On a busy machine a control can come too late. It has failed when it fails twice; a leak is one at once.
    """
    first = [verdict for verdict in prober.run() if verdict.attempt.what not in left_out]
    leaks = [verdict for verdict in first if verdict.result == LEAK]
    failed = {_key(verdict) for verdict in first if verdict.result == FAILED}
    if leaks or not failed:
        return leaks
    second = [verdict for verdict in prober.run() if verdict.attempt.what not in left_out]
    return [verdict for verdict in second if verdict.result == LEAK or (verdict.result == FAILED and _key(verdict) in failed)]


def _key(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.attempt.probe, verdict.attempt.what, verdict.attempt.sender


def words(verdict: Verdict) -> str:
    """Return a verdict in one line."""
    attempt = verdict.attempt
    return f"{verdict.result}: {attempt.probe}: {attempt.what} by {attempt.who} in {attempt.sender}: {verdict.why}"
