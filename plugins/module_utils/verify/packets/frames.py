# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ethernet frames made by hand, byte by byte, for senders that may use packet sockets.

Sources: RFC 791 (IPv4 and its options), 792 (ICMP), 793 (TCP), 768 (UDP), 826 (ARP), 4861 (neighbour discovery),
2784 (GRE), 9260 (SCTP), IEEE 802.1Q and 802.1D.
"""

from __future__ import annotations

import socket
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"
TYPE_IPV4 = 0x0800
TYPE_ARP = 0x0806
TYPE_VLAN = 0x8100
TYPE_QINQ = 0x88A8
TYPE_IPV6 = 0x86DD
ICMP, IGMP, IPIP, TCP, UDP, IPV6, GRE, ESP, ICMPV6, SCTP = 1, 2, 4, 6, 17, 41, 47, 50, 58, 132
SYN, RST, ACK, FIN = 0x02, 0x04, 0x10, 0x01
MORE_FRAGMENTS = 0x2000


def mac_bytes(mac: str) -> bytes:
    """Return the six bytes of a MAC address written with colons."""
    return bytes.fromhex(mac.replace(":", ""))


def link_local(mac: str) -> str:
    """Return the IPv6 link-local address that a kernel makes of a MAC address (RFC 4291, appendix A)."""
    raw = mac_bytes(mac)
    number = bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + b"\0" * 6 + number)


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(source: str, destination: str, kind: int, payload: bytes) -> bytes:
    """Return a frame, padded to the smallest length."""
    return (mac_bytes(destination) + mac_bytes(source) + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def vlan(source: str, destination: str, tags: list[tuple[int, int]], kind: int, payload: bytes) -> bytes:
    """Return a frame with tags, each (ethertype of the tag, VLAN id), outermost first."""
    head = b"".join(struct.pack("!HH", tag, number) for tag, number in tags)
    return (mac_bytes(destination) + mac_bytes(source) + head + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def ipv4(
    source: str,
    destination: str,
    protocol: int,
    payload: bytes,
    *,
    options: bytes = b"",
    flags: int = 0,
    ident: int = 1,
    hops: int = 64,
) -> bytes:
    """Return an IPv4 packet.

    Args:
        source: address.
        destination: address.
        protocol: number.
        payload: what follows the header.
        options: IP options, padded here to a multiple of four bytes.
        flags: flags and fragment offset (in units of 8 bytes), as in the header.
        ident: identification, the same in all fragments of a packet.
        hops: time to live.
    """
    options = options.ljust((len(options) + 3) // 4 * 4, b"\0")
    words = 5 + len(options) // 4
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    fields = (0x40 | words, 0, words * 4 + len(payload), ident, flags, hops, protocol)
    head = struct.pack("!BBHHHBBH", *fields, 0) + addresses + options
    return struct.pack("!BBHHHBBH", *fields, checksum(head)) + addresses + options + payload


def fragments(source: str, destination: str, protocol: int, data: bytes, *, cuts: list[int], ident: int) -> list[bytes]:
    """Return an IPv4 packet's payload cut at these offsets (multiples of 8) into fragments."""
    pieces = []
    for start, end in zip([0, *cuts], [*cuts, len(data)]):
        more = MORE_FRAGMENTS if end != len(data) else 0
        pieces.append(ipv4(source, destination, protocol, data[start:end], flags=more | start // 8, ident=ident))
    return pieces


def _pseudo(source: str, destination: str, protocol: int, length: int) -> bytes:
    if ":" in source:
        return (
            socket.inet_pton(socket.AF_INET6, source)
            + socket.inet_pton(socket.AF_INET6, destination)
            + struct.pack("!IHBB", length, 0, 0, protocol)
        )
    return socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, protocol, length)


def udp(source: str, destination: str, source_port: int, port: int, payload: bytes, *, checked: bool = True) -> bytes:
    """Return a UDP datagram, to be put into an IP packet between these addresses; without a checksum if so wanted."""
    length = 8 + len(payload)
    head = struct.pack("!HHHH", source_port, port, length, 0)
    if not checked:
        return head + payload
    found = checksum(_pseudo(source, destination, UDP, length) + head + payload) or 0xFFFF
    return struct.pack("!HHHH", source_port, port, length, found) + payload


def tcp(source: str, destination: str, source_port: int, port: int, *, payload: bytes = b"", flags: int = SYN) -> bytes:
    """Return a TCP segment; data in a SYN are legal (RFC 793) and carry the token."""
    acknowledged = 0x01020304 if flags & ACK else 0

    def head(found: int) -> bytes:
        return struct.pack("!HHIIBBHHH", source_port, port, 0x0A0B0C0D, acknowledged, 0x50, flags, 1024, found, 0)

    found = checksum(_pseudo(source, destination, TCP, 20 + len(payload)) + head(0) + payload)
    return head(found) + payload


def icmp(kind: int, code: int, payload: bytes, ident: int = 0x5346, sequence: int = 1) -> bytes:
    """Return an ICMP message; ident and sequence fill the four bytes after the checksum."""
    body = struct.pack("!HH", ident, sequence) + payload
    return struct.pack("!BBH", kind, code, checksum(struct.pack("!BBH", kind, code, 0) + body)) + body


def redirect(source: str, victim: str, destination: str, via: str, token: bytes) -> bytes:
    """Return an IPv4 packet with an ICMP redirect that tells victim to reach destination by another router."""
    quoted = ipv4(victim, destination, UDP, udp(victim, destination, 9, 9, token))
    body = socket.inet_aton(via) + quoted
    return ipv4(source, victim, ICMP, struct.pack("!BBH", 5, 1, checksum(struct.pack("!BBH", 5, 1, 0) + body)) + body)


def arp(operation: int, mac: str, address: str, target_mac: str, target: str, *, token: bytes = b"") -> bytes:
    """Return an ARP message (1 request, 2 reply); the token lies in the padding behind it."""
    head = struct.pack("!HHBBH", 1, TYPE_IPV4, 6, 4, operation)
    return head + mac_bytes(mac) + socket.inet_aton(address) + mac_bytes(target_mac) + socket.inet_aton(target) + token


def ipv6(source: str, destination: str, following: int, payload: bytes) -> bytes:
    """Return an IPv6 packet with hop limit 255, as neighbour discovery wants it."""
    return (
        struct.pack("!IHBB", 6 << 28, len(payload), following, 255)
        + socket.inet_pton(socket.AF_INET6, source)
        + socket.inet_pton(socket.AF_INET6, destination)
        + payload
    )


def icmpv6(source: str, destination: str, kind: int, body: bytes) -> bytes:
    """Return an ICMPv6 message, to be put into an IPv6 packet between these addresses."""
    length = 4 + len(body)
    found = checksum(_pseudo(source, destination, ICMPV6, length) + struct.pack("!BBH", kind, 0, 0) + body)
    return struct.pack("!BBH", kind, 0, found) + body


def router_advertisement(source: str, destination: str, mac: str, prefix: str, token: bytes) -> bytes:
    """Return an ICMPv6 router advertisement of a prefix; the token lies in an option of an unknown type."""
    options = (
        b"\x01\x01"
        + mac_bytes(mac)
        + struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 600, 300, 0)
        + socket.inet_pton(socket.AF_INET6, prefix)
        + b"\xfd\x02"
        + token.ljust(14, b"\0")
    )
    return icmpv6(source, destination, 134, struct.pack("!BBHII", 64, 0, 600, 0, 0) + options)


def gre(inner: bytes) -> bytes:
    """Return a GRE payload around an IPv4 packet."""
    return struct.pack("!HH", 0, TYPE_IPV4) + inner


def sctp(source_port: int, port: int, token: bytes) -> bytes:
    """Return an SCTP packet with an INIT chunk (its checksum is not made: filters do not look at it)."""
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20 + len(token), 1, 65535, 1, 1, 1) + token
    return struct.pack("!HHII", source_port, port, 0, 0) + chunk


def spanning_tree(mac: str, token: bytes) -> bytes:
    """Return an 802.1D configuration BPDU that claims to be the best root bridge."""
    payload = b"\x42\x42\x03" + b"\0" * 5 + b"\0" * 2 + mac_bytes(mac) + b"\0" * 4 + b"\0" * 2 + mac_bytes(mac) + b"\x80\x01"
    payload += struct.pack("!HHHH", 0, 20 << 8, 2 << 8, 15 << 8) + token
    return ethernet(mac, "01:80:c2:00:00:00", len(payload), payload)


def loose_source_route(via: list[str]) -> bytes:
    """Return the IP option that routes by way of these addresses (RFC 791, option 131)."""
    return b"\x01" + struct.pack("!BBB", 131, 3 + 4 * len(via), 4) + b"".join(socket.inet_aton(hop) for hop in via)


def strict_source_route(via: list[str]) -> bytes:
    """Return the IP option that routes by exactly these addresses (RFC 791, option 137)."""
    return b"\x01" + struct.pack("!BBB", 137, 3 + 4 * len(via), 4) + b"".join(socket.inet_aton(hop) for hop in via)


def record_route(slots: int = 3) -> bytes:
    """Return the IP option that asks routers to write down their addresses (RFC 791, option 7)."""
    return b"\x01" + struct.pack("!BBB", 7, 3 + 4 * slots, 4) + b"\0" * (4 * slots)


def dns_query(name: str, ident: int = 0x5346) -> bytes:
    """Return a DNS query for the IPv4 address of a name."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
