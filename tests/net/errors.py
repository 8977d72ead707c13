# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ICMP errors about open flows: a container sends them about its own and no others, and hears of no inner router."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import frames, namespaces

from . import forget, harness, topology
from .limits import introduce, udp
from .topology import Network

SERVER = (topology.INTERNET, 7000)
CONTAINER = harness.member("f220", "p220", "10.27.2.220", "02:42:0a:1b:02:dc")
OWN = {"own": ("f220", CONTAINER.address)}
OTHERS = {
    "a sibling's": ("f221", "10.27.2.221"),
    "a private host's": ("storage", topology.STORAGE),
    "the gateway's": ("submit", topology.WAN_ADDRESS),
}
WAN = (topology.WAN_MACS["remote"], topology.WAN_MACS["submit"])
UNREACHABLE, EXCEEDED, NO_PORT, TOO_LONG = 3, 11, 3, 4
_PROTOCOL_ICMP = 1


@dataclass(frozen=True)
class Error:
    """An ICMP error: from whom, of which type and code."""

    name: str
    source: str
    kind: int
    code: int


def _quoting(error: Error, to: str, quoted: tuple[tuple[str, int], tuple[str, int]]) -> bytes:
    """Return an error about a datagram from one (address, port) to another."""
    (source, source_port), (destination, port) = quoted
    inner = frames.ipv4(source, destination, frames.UDP, frames.udp(source, destination, source_port, port, b"\0" * 20))
    mtu = 600 if error.code == TOO_LONG else 0
    return frames.ipv4(error.source, to, frames.ICMP, frames.icmp(error.kind, error.code, inner, 0, mtu))


def _send(net: Network, place: str, interface: str, macs: tuple[str, str], packets: Iterable[bytes]) -> None:
    with namespaces.inside(net.path(place)), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((interface, 0))
        for packet in packets:
            sock.send(frames.ethernet(*macs, frames.TYPE_IPV4, packet))


@contextlib.contextmanager
def _listener(net: Network, place: str) -> Iterator[socket.socket]:
    with namespaces.inside(net.path(place)):
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, _PROTOCOL_ICMP)
    with sock:
        yield sock


def _heard(listener: socket.socket) -> set[tuple[str, int, int, int]]:
    """Return (sender, type, code, quoted source or destination port that is not the server's) of what has come."""
    listener.settimeout(0.15)
    found = set()
    while True:
        try:
            packet = listener.recv(2048)
        except (TimeoutError, socket.timeout):
            return found
        ports = set(struct.unpack("!HH", packet[48:52])) - {SERVER[1]}
        if packet[20] in (UNREACHABLE, EXCEEDED) and len(ports) == 1:
            found.add((socket.inet_ntoa(packet[12:16]), packet[20], packet[21], ports.pop()))


def about(net: Network) -> set[str]:
    """Return about whose flows a container's errors come to an Internet host."""
    forget.connections(net, "submit")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(udp(net, "remote", *SERVER))
        server.settimeout(2)
        listener = stack.enter_context(_listener(net, "remote"))
        owners = {}
        for name, (place, address) in {**OWN, **OTHERS}.items():
            sock = stack.enter_context(udp(net, place))
            sock.sendto(b"hello", SERVER)
            server.recv(100)
            port = sock.getsockname()[1]
            owners[port] = name
            errors = (Error(name, CONTAINER.address, UNREACHABLE, code) for code in (NO_PORT, TOO_LONG))
            packets = [_quoting(error, topology.INTERNET, (SERVER, (address, port))) for error in errors]
            _send(net, "f220", "eth0", (CONTAINER.mac, topology.GATEWAY_MAC), packets)
        found = {owners[port] for _, kind, _, port in _heard(listener) if kind == UNREACHABLE and port in owners}
    forget.path_mtus(net)
    return found


HEARD = (
    Error("a router of the Internet's", topology.LISTED, EXCEEDED, 0),
    Error("a router of the Internet's: too long", topology.LISTED, UNREACHABLE, TOO_LONG),
    Error("an inner router: too long", topology.INNER, UNREACHABLE, TOO_LONG),
)
UNHEARD = (
    Error("an inner router", topology.INNER, EXCEEDED, 0),
    Error("an inner router: no such port", topology.INNER, UNREACHABLE, NO_PORT),
)


def heard(net: Network, rp_filter: int = 1) -> set[str]:
    """Return which errors about its flow come to a container, where the gateway asks for the way back to their senders."""
    forget.connections(net, "submit")
    net.sysctl("submit", {"ipv4/conf/wan/rp_filter": rp_filter})
    with udp(net, "remote", *SERVER) as server, udp(net, "f220") as sock, _listener(net, "f220") as listener:
        outside = introduce(sock, server)
        packets = [_quoting(error, topology.WAN_ADDRESS, (outside, SERVER)) for error in (*HEARD, *UNHEARD)]
        _send(net, "remote", "wan", WAN, packets)
        there = {(source, kind, code) for source, kind, code, _ in _heard(listener)}
    net.sysctl("submit", {"ipv4/conf/wan/rp_filter": 0})
    forget.path_mtus(net)
    return {error.name for error in (*HEARD, *UNHEARD) if (error.source, error.kind, error.code) in there}


def problem(net: Network) -> str:
    """Return what is wrong with the ruleset as it is loaded, or an empty text."""
    if (found := about(net)) != set(OWN):
        return f"a container's errors arrive about {sorted(found)} flows, expected its own"
    wanted = {error.name for error in HEARD}
    if (found := heard(net)) != wanted:
        return f"a container hears of {sorted(found)}, expected {sorted(wanted)}"
    return ""
