# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a job's own user can try: ordinary sockets."""

from __future__ import annotations

from typing import Any

from ..model import JOB, OPEN, REPORT
from ..packets.frames import dns_query, link_local
from .builder import Builder

NODE_PORTS = (22, 111, 9618)
PRIVATE_TCP = (22, 53, 111, 389, 2049, 3300, 5432, 6789)
PRIVATE_UDP = (53, 111, 2049)
GATEWAY_TCP = (22, 53, 111)
GATEWAY_UDP = (53, 111)
# Ports that nobody answers at: there, an ICMP error has to come back.
QUIET_PORT = 33999


def attempts(build: Builder) -> None:
    """Add all attempts of the job's user."""
    _nodes(build)
    _private(build)
    _gateway(build)
    _allowed(build)
    _siblings(build)
    _metadata(build)
    _ipv6(build)
    _fragments(build)
    _broadcast(build)
    _names(build)


def _nodes(build: Builder) -> None:
    scene = build.scene
    for member in (scene.source, *scene.siblings):
        if member.node_address:
            for port in NODE_PORTS:
                build.tcp("node", member.node_address, port)
            build.udp("node", member.node_address, 111)


def _private(build: Builder) -> None:
    for host in build.scene.private:
        for port in host.tcp or PRIVATE_TCP:
            build.tcp("private", host.address, port)
        for port in host.udp or PRIVATE_UDP:
            build.udp("private", host.address, port)


def _gateway(build: Builder) -> None:
    gateway, manager = build.scene.gateway, build.scene.manager
    for address in (gateway.address, *gateway.others):
        ports = GATEWAY_TCP if address == manager.address else (*GATEWAY_TCP, manager.tcp[0])
        for port in ports:
            build.tcp("gateway", address, port)
        for port in GATEWAY_UDP:
            build.udp("gateway", address, port)


def _allowed(build: Builder) -> None:
    scene = build.scene
    gateway, manager = scene.gateway, scene.manager
    if manager.address == gateway.address:
        seen = (f"{gateway.place}:stack",)
        build.tcp("allowed", manager.address, manager.tcp[0], OPEN, may=build.with_gateway, must=seen, what="central manager")
    else:
        # Its side of the gateway is not the WAN; there, too, containers have the gateway's address.
        on_the_way = (*build.with_gateway, f"{gateway.place}:{gateway.parent}:*", f"{manager.place}:*")
        seen = (f"{manager.place}:*:in",)
        build.tcp(
            "allowed",
            manager.address,
            manager.tcp[0],
            OPEN,
            may=on_the_way,
            must=seen,
            what="central manager",
            seen_from=gateway.others[0] if gateway.others else "",
        )
    for host in scene.internet:
        may = (*build.through, f"{host.place}:*")
        must: dict[str, Any] = {"may": may, "must": (f"{host.place}:*:in",), "seen_from": gateway.wan_address}
        for port in host.tcp:
            build.tcp("allowed", host.address, port, OPEN, **must)
        for port in host.udp:
            build.udp("allowed", host.address, port, OPEN, answered="open", **must)
        if host.udp:
            what = f"ICMP error from {host.address}"
            build.udp("allowed", host.address, QUIET_PORT, OPEN, answered="refused", what=what, **must)


def _siblings(build: Builder) -> None:
    for member in build.scene.siblings:
        build.tcp("sibling", member.address, build.scene.manager.tcp[0], may=build.own)
        build.udp("sibling", member.address, 9, may=build.own)


def _metadata(build: Builder) -> None:
    for host in build.scene.metadata:
        build.tcp("metadata", host.address, 80)
        build.udp("metadata", host.address, 80)


def _ipv6(build: Builder) -> None:
    scene = build.scene
    macs = [scene.gateway.mac, *(member.node_mac for member in scene.siblings)]
    targets = [("ff02::1", build.interface), ("ff02::fb", build.interface), ("fd00:ec2::254", "")]
    targets += [(link_local(mac), build.interface) for mac in dict.fromkeys(macs) if mac and mac != scene.source.node_mac]
    for address, interface in targets:
        build.add(
            "ipv6",
            f"UDP [{address}]",
            JOB,
            "udp6",
            address=address,
            port=5353,
            interface=interface,
            payload=build.next_token.encode().hex(),
            may=build.own,
        )


def _fragments(build: Builder) -> None:
    """A datagram longer than a packet: its fragments must not leave the node."""
    for host in build.scene.internet[:1]:
        payload = (b"\0" * 1600 + build.next_token.encode()).hex()
        build.udp("fragments", host.address, 9, what=f"long datagram to {host.address}", payload=payload, may=build.own)


def _broadcast(build: Builder) -> None:
    names = {
        ("255.255.255.255", 9): "broadcast",
        (build.scene.broadcast, 9): "subnet broadcast",
        ("224.0.0.1", 9): "all hosts",
        ("224.0.0.251", 5353): "mDNS",
        ("224.0.0.252", 5355): "LLMNR",
        ("255.255.255.255", 67): "DHCP",
        ("239.255.255.250", 1900): "SSDP",
    }
    for (address, port), name in names.items():
        build.udp("broadcast", address, port, may=build.own, what=f"{name} {address}:{port}")


def _names(build: Builder) -> None:
    scene = build.scene
    places = {host.address: host.place for host in scene.internet}
    for resolver in scene.resolvers:
        place = places.get(resolver, "")
        build.udp(
            "dns",
            resolver,
            53,
            OPEN,
            what=f"unique name to {resolver}",
            payload=dns_query(f"{build.next_token}.{scene.domain}").hex(),
            may=(*build.through, *([f"{place}:*"] if place else [])),
            must=(f"{place}:*:in",) if place else (),
            answered="open",
        )
    if scene.other_resolver:
        query = dns_query(f"{build.next_token}.{scene.domain}").hex()
        what = f"query to {scene.other_resolver}"
        build.udp("dns-tunnel", scene.other_resolver, 53, REPORT, what=what, payload=query, may=("*",))
