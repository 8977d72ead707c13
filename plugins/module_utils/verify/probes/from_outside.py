# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others can try: hosts on the WAN and on the private network, and a member of the VLAN without a port filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..model import CLOSED, JOB, OPEN, REPORT, ROOT
from ..packets import frames
from .builder import Builder
from .from_container_root import FALSE_MAC, LINK_LOCAL
from .topology import Host

STARTD_PORT = 9618


@dataclass(frozen=True)
class Outsider:
    """A sender that is not a container: its place, interface, address and MAC, and the gateway's MAC on its side."""

    place: str
    interface: str
    address: str
    mac: str
    gateway_mac: str
    gateway_point: str  # where its frames arrive: place:interface


def inbound(build: Builder, outsider: Outsider) -> None:
    """Add new connections to all containers, sent by way of the gateway."""
    scene = build.scene
    may = (*build.own, f"{outsider.gateway_point}:in")
    for target in (scene.source, *scene.siblings):
        for name, make in _INBOUND.items():
            packet = make(build, outsider.address, target.address)
            what = f"{name} from {outsider.address} to {target.address}"
            build.ip("inbound", what, outsider.gateway_mac, packet, mac=outsider.mac, may=may)


_INBOUND: dict[str, Callable[[Builder, str, str], bytes]] = {
    "TCP 9618": lambda build, source, target: build.segment(source, target, 9618),
    "TCP ACK": lambda build, source, target: build.segment(source, target, 9618, frames.ACK),
    "datagram": lambda build, source, target: build.datagram(source, target),
    "ping": lambda build, source, target: build.ping(source, target),
    "GRE": lambda build, source, target: frames.ipv4(source, target, frames.GRE, frames.gre(build.datagram(source, target))),
}


def through(build: Builder, outsider: Outsider, targets: Sequence[Host], forwards: bool) -> None:
    """Add packets to hosts on the gateway's other side, sent to it as to a router.

    Args:
        build: of the outsider.
        outsider: who sends.
        targets: hosts on the other side.
        forwards: the site itself has the gateway forward what comes in there; then what gets through is only told.
    """
    may = (*build.own, f"{outsider.gateway_point}:in")
    expect = REPORT if forwards else CLOSED
    for target in targets:
        for name in ("TCP 22", "datagram", "ping"):
            packet = _THROUGH[name](build, outsider.address, target.address)
            what = f"{name} from {outsider.address} to {target.address}"
            build.ip("router", what, outsider.gateway_mac, packet, mac=outsider.mac, may=may, expect=expect)


_THROUGH: dict[str, Callable[[Builder, str, str], bytes]] = {
    "TCP 22": lambda build, source, target: build.segment(source, target, 22),
    "datagram": lambda build, source, target: build.datagram(source, target),
    "ping": lambda build, source, target: build.ping(source, target),
}


def command_port(build: Builder, address: str, listed: bool) -> None:
    """Add a connection from a WAN address to the pool's port on the gateway."""
    gateway, manager = build.scene.gateway, build.scene.manager
    words = "listed" if listed else "unlisted"
    more: dict[str, Any] = {"may": (f"{build.sender}:*:out", f"{gateway.place}:{gateway.wan}:in")}
    if listed:
        more = {
            "expect": OPEN,
            "may": (f"{build.sender}:*", f"{gateway.place}:{gateway.wan}:*", f"{gateway.place}:stack"),
            "must": (f"{gateway.place}:stack",),
            "answered": "open",
        }
    build.add(
        "command-port",
        f"TCP {gateway.wan_address}:{manager.tcp[0]} from {words} {address}",
        JOB,
        "tcp",
        address=gateway.wan_address,
        port=manager.tcp[0],
        source=address,
        **more,
    )


def member(build: Builder, outsider: Outsider) -> None:
    """Add what a member of the VLAN without a port filter can do to gateway, nodes and containers."""
    _at_gateway(build, outsider)
    _at_nodes(build, outsider)
    _at_containers(build, outsider)


def _to_gateway(build: Builder, outsider: Outsider, what: str, packet: bytes, mac: str = "") -> None:
    may = (*build.own, f"{outsider.gateway_point}:in")
    build.ip("member", what, outsider.gateway_mac, packet, mac=mac or outsider.mac, may=may, forged=True)


def _at_gateway(build: Builder, outsider: Outsider) -> None:
    scene = build.scene
    source = scene.source
    outside = scene.internet[0].address
    port = scene.manager.tcp[0]
    for name, address, mac in (
        ("own address", outsider.address, outsider.mac),
        ("a container's address", source.address, outsider.mac),
        ("a container's MAC", outsider.address, source.mac),
        ("a private address", scene.private[0].address, outsider.mac),
        ("the gateway's address", scene.gateway.address, outsider.mac),
    ):
        for destination in (outside, scene.gateway.address, scene.private[0].address):
            what = f"datagram with {name} to {destination}"
            _to_gateway(build, outsider, what, build.datagram(address, destination), mac)
        _to_gateway(build, outsider, f"SYN with {name}", build.segment(address, scene.gateway.address, port), mac)
    port = 40000 + len(build.attempts) % 10000
    for destination in (outside, scene.gateway.address):
        whole = frames.udp(source.address, destination, port, 9, build.next_token.encode() * 2)
        fragments = frames.fragments(source.address, destination, frames.UDP, whole, cuts=[8], ident=len(build.attempts) + 1)
        may = (*build.own, f"{outsider.gateway_point}:in")
        what = f"fragments with a container's address and MAC to {destination}"
        build.ip("member", what, outsider.gateway_mac, *fragments, mac=source.mac, may=may, forged=True)
    may = ("*:in", *build.own)
    for target, name in ((outsider.gateway_mac, "the gateway"), ("33:33:00:00:00:01", "all nodes")):
        link_local = frames.icmpv6(LINK_LOCAL, "ff02::1", 128, b"\0\1\0\1" + build.next_token.encode())
        packet = frames.ipv6(LINK_LOCAL, "ff02::1", frames.ICMPV6, link_local)
        frame = frames.ethernet(outsider.mac, target, frames.TYPE_IPV6, packet)
        allowed = tuple(f"{member.node}:{member.vlan}:in" for member in (source, *scene.siblings))
        build.raw("member", f"IPv6 to {name}", frame, may=(*build.own, f"{outsider.gateway_point}:in", *allowed), forged=True)
    for member_ in [item for item in (source, *scene.siblings) if item.planned]:
        # A request for the gateway writes its sender into the gateway's neighbour table, unless the entry is permanent.
        message = frames.arp(
            1, FALSE_MAC, member_.address, "00:00:00:00:00:00", scene.gateway.address, token=build.next_token.encode()
        )
        frame = frames.ethernet(outsider.mac, outsider.gateway_mac, frames.TYPE_ARP, message)
        what = f"ARP request to the gateway: {member_.address} is at a false MAC"
        build.raw("member", what, frame, may=may, forged=True, poison=(member_.address, FALSE_MAC))


def ipv6_through(build: Builder, outsider: Outsider, source: str, destination: str) -> None:
    """Add a datagram to an IPv6 host behind the gateway, for a gateway that routes IPv6."""
    data = frames.udp(source, destination, 9000, 9, build.next_token.encode())
    packet = frames.ipv6(source, destination, frames.UDP, data)
    frame = frames.ethernet(outsider.mac, outsider.gateway_mac, frames.TYPE_IPV6, packet)
    may = (*build.own, f"{outsider.gateway_point}:in")
    build.raw("member", f"IPv6 datagram to {destination}", frame, may=may, forged=True)


def _at_nodes(build: Builder, outsider: Outsider) -> None:
    scene = build.scene
    for target in (scene.source, *scene.siblings):
        if not target.node_mac:
            continue
        there = (*build.own, f"{target.node}:{target.vlan}:in")
        for address in (target.node_address, scene.private[0].address):
            packet = build.datagram(outsider.address, address)
            what = f"datagram to {address} by {target.node}"
            build.ip("member", what, target.node_mac, packet, mac=outsider.mac, may=there, forged=True)
    everywhere = tuple(f"{target.node}:{target.vlan}:in" for target in (scene.source, *scene.siblings))
    may = (*build.own, f"{outsider.gateway_point}:in", *everywhere)
    for address in (scene.broadcast, "255.255.255.255", "224.0.0.251"):
        packet = build.datagram(outsider.address, address, 5353)
        build.ip("member", f"broadcast to {address}", frames.BROADCAST, packet, mac=outsider.mac, may=may, forged=True)
    for target in (scene.source, *scene.siblings):
        request = frames.arp(
            1, outsider.mac, outsider.address, "00:00:00:00:00:00", target.node_address, token=build.next_token.encode()
        )
        frame = frames.ethernet(outsider.mac, frames.BROADCAST, frames.TYPE_ARP, request)
        build.raw("member", f"ARP request for {target.node_address}", frame, may=may, forged=True)


def _at_containers(build: Builder, outsider: Outsider) -> None:
    scene = build.scene
    gateway = scene.gateway
    for target in (scene.source, *scene.siblings):
        may = (*build.own, f"{target.node}:{target.vlan}:in")
        for name, mac, address, destination in (
            ("own MAC", outsider.mac, outsider.address, target.address),
            ("own MAC and the gateway's address", outsider.mac, gateway.address, target.address),
            ("the gateway's MAC, to another address", gateway.mac, gateway.address, outsider.address),
        ):
            packet = build.datagram(address, destination)
            build.ip("member", f"datagram with {name} to {target.place}", target.mac, packet, mac=mac, may=may, forged=True)
        packet = build.datagram(gateway.address, target.address)
        # Its destination MAC is the broadcast address: every member of the VLAN sees it, none may take it.
        everywhere = tuple(f"{other.node}:{other.vlan}:in" for other in (scene.source, *scene.siblings))
        what = f"broadcast frame with {target.address} in it"
        more = (*build.own, f"{outsider.gateway_point}:in", *everywhere)
        build.ip("member", what, frames.BROADCAST, packet, mac=gateway.mac, may=more, forged=True)
        message = frames.arp(2, outsider.mac, gateway.address, target.mac, target.address, token=build.next_token.encode())
        frame = frames.ethernet(outsider.mac, target.mac, frames.TYPE_ARP, message)
        what = f"ARP reply to {target.place}: the gateway is at a false MAC"
        build.raw("member", what, frame, may=may, forged=True, poison=(gateway.address, outsider.mac))
        message = frames.arp(2, outsider.mac, gateway.address, target.mac, target.address, token=build.next_token.encode())
        frame = frames.ethernet(gateway.mac, target.mac, frames.TYPE_ARP, message)
        for number in (1, 2):
            message = frames.arp(
                number, outsider.mac, outsider.address, target.mac, target.address, token=build.next_token.encode()
            )
            frame = frames.ethernet(gateway.mac, target.mac, frames.TYPE_ARP, message)
            build.raw("member", f"ARP about {outsider.address} to {target.place}", frame, may=may, forged=True)
        message = frames.arp(1, gateway.mac, gateway.address, target.mac, outsider.address, token=build.next_token.encode())
        frame = frames.ethernet(gateway.mac, target.mac, frames.TYPE_ARP, message)
        build.raw("member", f"ARP for another address to {target.place}", frame, may=may, forged=True)
        packet = frames.ipv6(
            LINK_LOCAL,
            "ff02::1",
            frames.ICMPV6,
            frames.icmpv6(LINK_LOCAL, "ff02::1", 128, b"\0\1\0\1" + build.next_token.encode()),
        )
        frame = frames.ethernet(gateway.mac, target.mac, frames.TYPE_IPV6, packet)
        build.raw("member", f"IPv6 with the gateway's MAC to {target.place}", frame, may=may, forged=True)
    build.add(
        "member",
        "the node counts what it refuses",
        ROOT,
        "none",
        OPEN,
        must=tuple(f"{target.node}:counter:refused on the way in" for target in (scene.source, *scene.siblings)),
    )


def from_gateway(build: Builder) -> None:
    """Add connections from the gateway to the containers: commands to the startd, and others, which must not leave."""
    scene = build.scene
    for target in (scene.source, *scene.siblings):
        if target.planned:
            for port in (22, 443):
                build.tcp("outbound", target.address, port, may=(f"{build.sender}:lo:*",))
            build.udp("outbound", target.address, 9, may=(f"{build.sender}:lo:*",))
            build.tcp(
                "allowed",
                target.address,
                STARTD_PORT,
                OPEN,
                what=f"the gateway to {target.address}",
                may=(f"{build.sender}:*", f"{target.node}:{target.vlan}:*", f"{target.place}:*"),
                must=(f"{target.place}:{target.interface}:in",),
            )


def canary(build: Builder, node: str, targets: list[Host]) -> None:
    """Add datagrams from a node's own namespace that the captures have to see: the site's own traffic, let alone."""
    for host in targets:
        build.add(
            "canary",
            f"datagram from {node} to {host.place}",
            JOB,
            "udp",
            OPEN,
            address=host.address,
            port=33998,
            payload=build.next_token.encode().hex(),
            may=("*",),
            must=(f"{host.place}:*:in",),
        )
