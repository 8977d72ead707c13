# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each host of a real site sends."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..model import ROOT, Attempt
from ..packets import namespaces, sender
from ..probes import from_container_root, from_job_user, from_outside, site_topology
from ..probes.builder import Builder
from ..probes.topology import Host, Topology
from . import routing_check
from .container import RunningContainer

_DISCARD = 9
_NOBODY = 65534


@dataclass
class Work:
    """What one host has to do; see module probe_send."""

    run: int
    place: str
    gateway: str
    plan: Mapping[str, Any]
    looks: Mapping[str, Mapping[str, Any]]
    targets: Sequence[Mapping[str, Any]]
    forged: bool
    as_root: bool
    slot_uids: range
    skipped_root: str = ""
    attempts: list[Attempt] = field(default_factory=list)

    def scene(self, node: str) -> Topology:
        """Return the site as a node's container sees it."""
        return site_topology.scene(self.plan, node, self.gateway, self.looks, self.targets)

    @property
    def nodes(self) -> list[str]:
        """Return the nodes that take part."""
        return [node for node in self.plan["nodes"] if node in self.looks]


def run(work: Work, container: RunningContainer | None, settle: float) -> tuple[list[Attempt], list[dict[str, Any]]]:
    """Send everything that this host has to; return it, and what was noticed."""
    paths = {work.place: ""}
    uid = _NOBODY
    if container:
        paths[work.plan["nodes"][work.place]["flock"]] = container.namespace
        uid = container.uid(work.slot_uids.start)
        if container.busy(work.slot_uids):
            work.as_root = False
            work.skipped_root = "a job is running in the container"
        _node(work)
    elif work.nodes:
        if work.place == work.gateway:
            from_outside.from_gateway(Builder(work.run, work.scene(work.nodes[0]), work.attempts, work.place, "-"))
        _outside(work)
    groups: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in work.attempts:
        if work.as_root or attempt.who != ROOT or not container:
            groups.setdefault((attempt.sender, attempt.who), []).append(attempt)
    children = [sender.send_as(paths[place], uid, group, settle) for (place, _), group in groups.items()]
    sent = [item for child in children for item in child.result()]
    return [attempt for group in groups.values() for attempt in group], sent


def _node(work: Work) -> None:
    scene = work.scene(work.place)
    container = Builder(work.run, scene, work.attempts)
    from_job_user.attempts(container)
    from_container_root.attempts(container, work.forged)
    watched = [Host(member.node, member.node_address) for member in scene.siblings if member.node_address]
    parent = next(
        (item["address"] for item in work.looks[work.gateway]["interfaces"] if item["interface"] == scene.gateway.parent), ""
    )
    if parent:
        watched.append(Host(scene.gateway.place, parent))
    watched += [host for host in scene.private if host.place]
    from_outside.canary(Builder(work.run, scene, work.attempts, work.place, "-"), work.place, watched)


def _outside(work: Work) -> None:
    scene = work.scene(work.nodes[0])
    own = [target for target in work.targets if target.get("host") == work.place and target["kind"] != "resolver"]
    addresses = {item["address"] for item in work.looks[work.place]["interfaces"]}
    for target in own[:1]:
        towards = scene.gateway.wan_address if target["kind"] == "internet" else _gateway_inside(work, scene)
        outsider = site_topology.outsider(work.place, target, work.looks[work.place], scene.gateway, neighbour(towards))
        if outsider is None:
            continue
        build = Builder(work.run, scene, work.attempts, work.place, outsider.interface)
        from_outside.inbound(build, outsider)
        side = outsider.gateway_point.split(":", 1)[1]
        forwards = routing_check.is_others(work.looks[work.gateway].get("forwarding", {}).get(side, ""))
        across = scene.private if target["kind"] == "internet" else scene.internet
        from_outside.through(build, outsider, [host for host in across if host.place != work.place], forwards)
        if target["kind"] == "internet":
            for address in sorted(set(scene.listed) & addresses):
                from_outside.command_port(build, address, listed=True)
            if target["address"] not in scene.listed:
                from_outside.command_port(build, target["address"], listed=False)


def _gateway_inside(work: Work, scene: Topology) -> str:
    entries = work.looks[work.gateway]["interfaces"]
    return next((item["address"] for item in entries if item["interface"] == scene.gateway.parent and item["address"]), "")


def neighbour(address: str) -> str:
    """Return the MAC address of a neighbour, having sent it a datagram; an empty text where it is none."""
    if not address:
        return ""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"", (address, _DISCARD))
    for _ in range(20):
        found = namespaces.neighbours().get(address, "")
        if found:
            return found
        time.sleep(0.1)
    return ""
