# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What root in the container could try, had it CAP_NET_RAW: frames made by hand."""

from __future__ import annotations

from ..model import OPEN
from ..packets import frames
from .builder import Builder

FALSE_MAC = "02:66:6f:72:67:65"
PUBLIC = "198.18.0.77"
NOBODY = "00:00:00:00:00:00"
UNSET = "0." * 3 + "0"
LINK_LOCAL = "fe80::5346:1"


def attempts(build: Builder, forged: bool) -> None:
    """Add all attempts of root.

    Args:
        build: collects them.
        forged: also those that use somebody else's addresses.
    """
    _reach(build)
    _allowed(build)
    _siblings(build)
    _ipv6(build)
    _arp(build)
    _weak_host(build)
    _protocols(build)
    _options(build)
    _fragments(build)
    _broadcast(build)
    _without_connection(build)
    if forged:
        _advertisement(build)
        _poison(build)
        _spoof(build)
        _tags(build)


def _reach(build: Builder) -> None:
    """The destinations of probes 1, 2, 3 and 6 once more, past the container's own routing table."""
    scene = build.scene
    source, gateway = scene.source, scene.gateway
    targets = [("private", host.address) for host in scene.private]
    targets += [("metadata", host.address) for host in scene.metadata]
    targets += [("node", member.node_address) for member in (source, *scene.siblings) if member.node_address]
    targets += [("gateway", address) for address in gateway.others]
    for probe, address in targets:
        build.ip(probe, f"ping {address}", gateway.mac, build.ping(source.address, address), may=build.to_gateway)
        build.ip(probe, f"datagram to {address}", gateway.mac, build.datagram(source.address, address), may=build.to_gateway)
    for flags, name in ((frames.ACK, "ACK"), (frames.SYN | frames.ACK, "SYN+ACK"), (0, "segment without flags")):
        address = scene.private[0].address if scene.private else gateway.address
        packet = build.segment(source.address, address, 22, flags)
        build.ip("private", f"{name} to {address}", gateway.mac, packet, may=build.to_gateway)
    for kind, name in ((13, "timestamp request"), (0, "echo reply"), (17, "address mask request")):
        packet = frames.ipv4(source.address, gateway.address, frames.ICMP, frames.icmp(kind, 0, build.next_token.encode()))
        build.ip("gateway", f"ICMP {name} to the gateway", gateway.mac, packet, may=build.to_gateway)


def _allowed(build: Builder) -> None:
    scene = build.scene
    source, gateway = scene.source, scene.gateway
    if scene.ping_gateway:
        build.ip(
            "allowed",
            "ping of the gateway",
            gateway.mac,
            build.ping(source.address, gateway.address),
            expect=OPEN,
            may=build.with_gateway,
            must=(f"{gateway.place}:stack", f"{source.place}:{source.interface}:in"),
        )
    for host in scene.internet[:1]:
        build.ip(
            "allowed",
            f"ping of {host.address}",
            gateway.mac,
            build.ping(source.address, host.address),
            expect=OPEN,
            may=(*build.through, f"{host.place}:*"),
            must=(f"{host.place}:*:in", f"{source.place}:{source.interface}:in"),
            seen_from=gateway.wan_address,
        )
        data = frames.udp(source.address, host.address, 9000, 9, build.next_token.encode())
        build.ip(
            "allowed",
            "the gateway's word that a packet has come too far",
            gateway.mac,
            frames.ipv4(source.address, host.address, frames.UDP, data, hops=1),
            expect=OPEN,
            may=build.with_gateway,
            must=(f"{source.place}:{source.interface}:in",),
            kind="error:11/0",
        )
    request = frames.arp(1, source.mac, source.address, NOBODY, gateway.address, token=build.next_token.encode())
    build.raw(
        "allowed",
        "ARP request for the gateway",
        frames.ethernet(source.mac, frames.BROADCAST, frames.TYPE_ARP, request),
        expect=OPEN,
        may=("*:in", *build.to_gateway),
        must=(f"{gateway.place}:{gateway.vlan}:in",),
    )


def _siblings(build: Builder) -> None:
    scene = build.scene
    source, gateway = scene.source, scene.gateway
    for member in scene.siblings:
        ways: dict[str, tuple[str, tuple[str, ...]]] = {
            "its MAC": (member.mac, build.own),
            "broadcast MAC": (frames.BROADCAST, build.own),
        }
        ways["the gateway"] = (gateway.mac, build.to_gateway)
        for way, (mac, may) in ways.items():
            packet = build.datagram(source.address, member.address)
            build.ip("sibling", f"datagram to {member.address} by {way}", mac, packet, may=may)
        build.ip("sibling", f"ping {member.address}", member.mac, build.ping(source.address, member.address))


def _ipv6(build: Builder) -> None:
    scene = build.scene
    mac = scene.source.mac
    neighbour_macs = {"all nodes": "33:33:00:00:00:01", "the gateway's MAC": scene.gateway.mac}
    if scene.source.node_mac:
        neighbour_macs["the node's MAC"] = scene.source.node_mac
    for name, target in neighbour_macs.items():
        for claimed in (0, frames.TYPE_IPV4):
            echo = frames.icmpv6(LINK_LOCAL, "ff02::1", 128, b"\0\1\0\1" + build.next_token.encode())
            packet = frames.ipv6(LINK_LOCAL, "ff02::1", frames.ICMPV6, echo)
            what = f"ping ff02::1 to {name}" + (", called IPv4" if claimed else "")
            build.raw("ipv6", what, frames.ethernet(mac, target, frames.TYPE_IPV6, packet), claimed=claimed)
    data = frames.udp("fd00::5346", "fd00:ec2::254", 9000, 80, build.next_token.encode())
    packet = frames.ipv6("fd00::5346", "fd00:ec2::254", frames.UDP, data)
    build.raw("ipv6", "datagram to fd00:ec2::254", frames.ethernet(mac, scene.gateway.mac, frames.TYPE_IPV6, packet))


def _advertisement(build: Builder) -> None:
    mac = build.scene.source.mac
    body = frames.router_advertisement(LINK_LOCAL, "ff02::1", mac, "2001:db8:5346::", build.next_token.encode())
    packet = frames.ipv6(LINK_LOCAL, "ff02::1", frames.ICMPV6, body)
    frame = frames.ethernet(mac, "33:33:00:00:00:01", frames.TYPE_IPV6, packet)
    build.raw("advertisement", "router advertisement of 2001:db8:5346::/64", frame, forged=True)


def _arp_frame(build: Builder, operation: int, mac: str, address: str, target: str, *, to: str) -> bytes:
    message = frames.arp(operation, mac, address, NOBODY, target, token=build.next_token.encode())
    return frames.ethernet(mac, to, frames.TYPE_ARP, message)


def _arp(build: Builder) -> None:
    scene = build.scene
    source = scene.source
    members = (source, *scene.siblings)
    wanted = [member.node_address for member in members if member.node_address]
    wanted += [member.address for member in scene.siblings] + [host.address for host in scene.private]
    wanted += list(scene.gateway.others)
    for address in wanted:
        frame = _arp_frame(build, 1, source.mac, source.address, address, to=frames.BROADCAST)
        build.raw("arp", f"ARP request for {address}", frame)


def _poison(build: Builder) -> None:
    scene = build.scene
    source, gateway = scene.source, scene.gateway
    claims = [("gateway", gateway.address, frames.BROADCAST)]
    claims += [("own address", source.address, gateway.mac)]
    siblings = [member for member in scene.siblings if member.planned]
    for member in siblings:
        claims += [("sibling", member.address, gateway.mac), ("gateway", gateway.address, member.mac)]
    for operation, name in ((1, "request"), (2, "reply")):
        for who, address, to in claims:
            if operation == 1 and to != gateway.mac:
                continue
            frame = _arp_frame(build, operation, FALSE_MAC, address, address, to=to)
            what = f"ARP {name} to {to}: {who} {address} is at a false MAC"
            build.raw("poison", what, frame, forged=True, poison=(address, FALSE_MAC))
            # Sent from the right MAC, false inside.
            message = frames.arp(operation, FALSE_MAC, address, gateway.mac, gateway.address, token=build.next_token.encode())
            inner = frames.ethernet(source.mac, to, frames.TYPE_ARP, message)
            build.raw("poison", what + ", own MAC outside", inner, forged=True, poison=(address, FALSE_MAC))
    for address in [member.address for member in siblings]:
        message = frames.arp(1, source.mac, address, NOBODY, gateway.address, token=build.next_token.encode())
        frame = frames.ethernet(source.mac, frames.BROADCAST, frames.TYPE_ARP, message)
        what = f"ARP request: sibling {address} is at the container's MAC"
        build.raw("poison", what, frame, forged=True, poison=(address, source.mac))
    for host in scene.internet[:1]:
        packet = frames.redirect(source.address, gateway.address, host.address, source.address, build.next_token.encode())
        build.ip("poison", "ICMP redirect to the gateway", gateway.mac, packet, forged=True, may=build.to_gateway)


def _spoof(build: Builder) -> None:
    scene = build.scene
    source, gateway = scene.source, scene.gateway
    target = scene.internet[0].address if scene.internet else gateway.address
    addresses = {"public": PUBLIC, "gateway": gateway.address, "unset": UNSET}
    if scene.siblings:
        addresses["sibling"] = scene.siblings[0].address
    if scene.private:
        addresses["private"] = scene.private[0].address
    for name, address in addresses.items():
        build.ip("spoof", f"source {name} {address}", gateway.mac, build.datagram(address, target), forged=True)
    build.ip("spoof", "false MAC", gateway.mac, build.datagram(source.address, target), mac=FALSE_MAC, forged=True)
    build.ip("spoof", "the gateway's MAC", frames.BROADCAST, build.datagram(source.address, target), mac=gateway.mac, forged=True)
    build.add(
        "spoof",
        "the node counts what it refuses",
        "root",
        "none",
        OPEN,
        must=(f"{source.node}:counter:refused on the way out",),
    )


def _weak_host(build: Builder) -> None:
    scene = build.scene
    source = scene.source
    targets = [host.address for host in (*scene.private[:1], *scene.internet[:1])]
    for member in (source, *scene.siblings):
        if not member.node_mac:
            continue
        for address in [*targets, member.node_address or member.address]:
            what = f"to {address} by {member.node}"
            build.ip("weak-host", what, member.node_mac, build.datagram(source.address, address))


def _protocols(build: Builder) -> None:
    scene = build.scene
    source, gateway = scene.source, scene.gateway
    destinations = [gateway.address, *(host.address for host in (*scene.internet[:1], *scene.private[:1]))]
    for destination in destinations:
        inside = scene.private[0].address if scene.private else destination
        for name, number, make in (
            ("GRE", frames.GRE, lambda token, packet: frames.gre(packet)),
            ("SCTP", frames.SCTP, lambda token, packet: frames.sctp(9000, 36412, token)),
            ("IPIP", frames.IPIP, lambda token, packet: packet),
            ("ESP", frames.ESP, lambda token, packet: b"\0\0\1\0\0\0\0\1" + token),
            ("IGMP", frames.IGMP, lambda token, packet: b"\x16\0\0\0\xe0\0\0\xfb" + token),
            ("IPv6 in IPv4", frames.IPV6, lambda token, packet: b"\x60" + b"\0" * 39 + token),
        ):
            payload = make(build.next_token.encode(), build.datagram(source.address, inside))
            packet = frames.ipv4(source.address, destination, number, payload)
            build.ip("protocols", f"{name} to {destination}", gateway.mac, packet, may=build.to_gateway)


def _options(build: Builder) -> None:
    scene = build.scene
    source, gateway = scene.source, scene.gateway
    finals = [host.address for host in (*scene.internet[:1], *scene.private[:1])]
    # Addressed to the gateway, to be sent on from there; or to the internet host, to be sent on from there.
    ways = [(via, final) for via in (gateway.address, gateway.wan_address) for final in finals]
    if scene.internet:
        ways.append((scene.internet[0].address, gateway.wan_address))
    for via, final in ways:
        for name, make in (("loose", frames.loose_source_route), ("strict", frames.strict_source_route)):
            # Without a checksum: one made for the final address would be wrong on the way, and that alone be refused.
            data = frames.udp(source.address, final, 9000, 9, build.next_token.encode(), checked=False)
            packet = frames.ipv4(source.address, via, frames.UDP, data, options=make([final]))
            build.ip("options", f"{name} source route by {via} to {final}", gateway.mac, packet, may=build.to_gateway)


def _tags(build: Builder) -> None:
    scene = build.scene
    source, gateway = scene.source, scene.gateway
    for name, tags in (("802.1Q tag 1", [(frames.TYPE_VLAN, 1)]), ("QinQ", [(frames.TYPE_QINQ, 1), (frames.TYPE_VLAN, 1)])):
        for claimed in (0, frames.TYPE_IPV4):
            packet = build.datagram(source.address, scene.private[0].address if scene.private else gateway.address)
            frame = frames.vlan(source.mac, gateway.mac, tags, frames.TYPE_IPV4, packet)
            what = name + (", called IPv4" if claimed else "")
            build.raw("tags", what, frame, forged=True, claimed=claimed)
    build.raw("tags", "spanning tree", frames.spanning_tree(source.mac, build.next_token.encode()), forged=True)
    for kind, name in ((0x88CC, "LLDP"), (0x88B5, "experimental type")):
        frame = frames.ethernet(source.mac, "01:80:c2:00:00:0e", kind, build.next_token.encode())
        build.raw("tags", name, frame, forged=True)
        frame = frames.ethernet(source.mac, gateway.mac, kind, build.next_token.encode())
        build.raw("tags", f"{name} called IPv4", frame, forged=True, claimed=frames.TYPE_IPV4)


def _fragments(build: Builder) -> None:
    """Fragments of every kind end at the node: the gateway puts packets together in memory that the site's own share."""
    scene = build.scene
    source, gateway = scene.source, scene.gateway
    targets = [*(host.address for host in (*scene.private[:1], *scene.internet[:1])), gateway.address]
    for address in targets:
        number = len(build.attempts) + 1
        payload = b"\0" * 1600 + build.next_token.encode()
        message = frames.icmp(8 if address != gateway.address else 13, 0, payload)
        large = frames.fragments(source.address, address, frames.ICMP, message, cuts=[1480], ident=number)
        build.ip("fragments", f"large ICMP to {address}", gateway.mac, *large)
        number += 1
        # The token begins at a multiple of 8, so that it is in one fragment.
        data = frames.tcp(source.address, address, 9000, 22, payload=b"1234" + build.next_token.encode())
        tiny = frames.fragments(source.address, address, frames.TCP, data, cuts=[8, 16, 24], ident=number)
        build.ip("fragments", f"tiny TCP fragments to {address}:22", gateway.mac, *tiny)
        number += 1
        data = frames.udp(source.address, address, 9000, 111, build.next_token.encode() * 2)
        first = frames.ipv4(source.address, address, frames.UDP, data[:16], flags=frames.MORE_FRAGMENTS, ident=number)
        second = frames.ipv4(source.address, address, frames.UDP, data[8:], flags=1, ident=number)
        build.ip("fragments", f"overlapping fragments to {address}", gateway.mac, first, second)


def _broadcast(build: Builder) -> None:
    scene = build.scene
    source, gateway = scene.source, scene.gateway
    for address in ("255.255.255.255", scene.broadcast, "224.0.0.1", "224.0.0.251"):
        packet = build.datagram(source.address, address, 5353)
        build.ip("broadcast", f"{address} to everybody", frames.BROADCAST, packet)
        packet = build.datagram(source.address, address, 5353)
        build.ip("broadcast", f"{address} to the gateway's MAC", gateway.mac, packet, may=build.to_gateway)


def _without_connection(build: Builder) -> None:
    """Packets that belong to no connection are not translated: they must not leave with the container's address."""
    scene = build.scene
    source, gateway = scene.source, scene.gateway
    for host in scene.internet[:1]:
        outside = {
            "may": (*build.through, f"{host.place}:*"),
            "must": (f"{gateway.place}:{gateway.wan}:out", f"{host.place}:*:in"),
            "seen_from": gateway.wan_address,
        }
        port = host.tcp[0] if host.tcp else 443
        for flags, name in (
            (frames.ACK, "ACK"),
            (frames.RST, "RST"),
            (frames.FIN | frames.ACK, "FIN+ACK"),
            (frames.SYN | frames.FIN, "SYN+FIN"),
            (0, "segment without flags"),
        ):
            packet = build.segment(source.address, host.address, port, flags)
            build.ip("source", f"{name} to {host.address}", gateway.mac, packet, **outside)
        for kind, name in ((0, "echo reply"), (14, "timestamp reply")):
            packet = frames.ipv4(source.address, host.address, frames.ICMP, frames.icmp(kind, 0, build.next_token.encode()))
            build.ip("source", f"ICMP {name} to {host.address}", gateway.mac, packet, **outside)
        quoted = frames.ipv4(host.address, source.address, frames.UDP, frames.udp(host.address, source.address, 9, 9, b""))
        body = frames.icmp(3, 3, quoted + build.next_token.encode(), 0, 0)
        packet = frames.ipv4(source.address, host.address, frames.ICMP, body)
        build.ip("source", f"ICMP error about nothing to {host.address}", gateway.mac, packet, may=build.to_gateway)
