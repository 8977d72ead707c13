# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What containers may use: the gateway's limits, each with a small value, so that a short burst exceeds it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import frames, namespaces, nflog

from . import forget, topology, tracked
from .topology import Network

_FORCE_RECEIVE_BUFFER = 33
_PIECE = 1400
_MEGABYTE = 1000 * 1000
LOG_GROUP = 2512


@dataclass(frozen=True)
class Limit:
    """One limit.

    Attributes:
        name: in words.
        rule: comment of the rule, or something else of its text; empty where a condition is measured, not a rule.
        settings: the role's variables that make it small.
        measure: what is measured.
        low, high: what may come of it.
        usual: with the usual values more comes of it.
    """

    name: str
    rule: str
    settings: dict[str, int]
    measure: Callable[[Network], float]
    low: float
    high: float
    usual: bool = True


def udp(net: Network, place: str, address: str = "", port: int = 0) -> socket.socket:
    """Return a socket in a namespace, with room for what comes."""
    with namespaces.inside(net.path(place)):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, _FORCE_RECEIVE_BUFFER, 32 << 20)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    sock.bind((address, port))
    return sock


def received(sock: socket.socket) -> list[bytes]:
    """Return what has arrived at a socket."""
    sock.settimeout(0.1)
    found = []
    while True:
        try:
            found.append(sock.recv(65536))
        except (TimeoutError, socket.timeout):
            return found


def _new_flows(net: Network, place: str = "f220") -> float:
    """Return how many of 60 new flows arrive."""
    with udp(net, "remote", topology.INTERNET, 7000) as sink:
        for _ in range(60):
            with udp(net, place) as sock:
                sock.sendto(b"new flow", (topology.INTERNET, 7000))
        return len(received(sink))


def _flows_of_others(net: Network) -> float:
    """Return how many of 60 new flows of a private host arrive, by way of the gateway."""
    return _new_flows(net, "storage")


def _connections(net: Network) -> float:
    """Return how many of 60 flows can be open at the same time."""
    with udp(net, "remote", topology.INTERNET, 7000) as sink:
        socks = [udp(net, "f220") for _ in range(60)]
        for sock in socks:
            sock.sendto(b"one of many", (topology.INTERNET, 7000))
        found = len(received(sink))
        for sock in socks:
            sock.close()
        return found


def _pieces() -> Iterator[None]:
    """Yield for each piece to send: 4 megabytes, and more on a busy machine, where a limit would let them through meanwhile."""
    started = time.monotonic()
    wanted, sent = 4.0, 0
    while sent * _PIECE < wanted * _MEGABYTE:
        yield
        sent += 1
        if sent % 50 == 0:
            time.sleep(0.002)  # the kernel's queue between two namespaces holds 1000 packets
            wanted = min(4 + 1.5 * (time.monotonic() - started), 16)


def _megabytes(sender: socket.socket, sink: socket.socket, address: tuple[str, int]) -> float:
    """Return how many of 4 megabytes arrive."""
    for _ in _pieces():
        sender.sendto(b"\0" * _PIECE, address)
    return sum(len(piece) for piece in received(sink)) / _MEGABYTE


def introduce(sock: socket.socket, server: socket.socket) -> tuple[str, int]:
    """Make a flow that is answered, so that its packets are no longer new ones; return the sender as the server sees it."""
    sock.sendto(b"hello", (topology.INTERNET, 7000))
    server.settimeout(1)
    peer: tuple[str, int] = server.recvfrom(100)[1]
    server.sendto(b"hello", peer)
    sock.settimeout(1)
    sock.recv(100)
    return peer


def _sent(net: Network) -> float:
    with udp(net, "remote", topology.INTERNET, 7000) as sink, udp(net, "f220") as sock:
        introduce(sock, sink)
        return _megabytes(sock, sink, (topology.INTERNET, 7000))


def _loaded(net: Network) -> float:
    with udp(net, "remote", topology.INTERNET, 7000) as server, udp(net, "f220") as sock:
        return _megabytes(server, sock, introduce(sock, server))


def _unanswered(net: Network) -> float:
    """Return how many of 60 datagrams of one flow arrive, none of which is answered."""
    with udp(net, "remote", topology.INTERNET, 7000) as sink, udp(net, "f220") as sock:
        for _ in range(60):
            sock.sendto(b"nobody answers", (topology.INTERNET, 7000))
        return len(received(sink))


def _to_gateway(net: Network) -> float:
    """Return how many of 4 megabytes arrive at HTCondor's port on the gateway."""
    source, destination = ("f220", "10.27.2.220"), ("submit", topology.GATEWAY)
    macs = ("02:42:0a:1b:02:dc", topology.GATEWAY_MAC)
    with namespaces.inside(net.path(source[0])):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sender.bind(("eth0", 0))
    segment = frames.ethernet(*macs, frames.TYPE_IPV4, _segment(source[1], destination[1], 7001, 9618))
    with sender:
        return _segments(net, destination[0], lambda: sender.send(segment))


def _from_gateway(net: Network) -> float:
    """Return how many of 4 megabytes from HTCondor's port on the gateway arrive at a container."""
    segment = _segment(topology.GATEWAY, "10.27.2.220", 9618, 7001)
    with namespaces.inside(net.path("submit")):
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send() -> None:
        with contextlib.suppress(PermissionError):  # dropped by a rule
            sender.sendto(segment, ("10.27.2.220", 0))

    with sender:
        return _segments(net, "f220", send)


def _segment(source: str, destination: str, source_port: int, port: int) -> bytes:
    data = frames.tcp(source, destination, source_port, port, payload=b"\0" * _PIECE, flags=frames.ACK)
    return frames.ipv4(source, destination, frames.TCP, data)


def _segments(net: Network, place: str, send: Callable[[], object]) -> float:
    """Return how many megabytes of segments come to a place's IP stack."""
    with namespaces.inside(net.path(place)):
        sink = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    sink.setsockopt(socket.SOL_SOCKET, _FORCE_RECEIVE_BUFFER, 32 << 20)
    with sink:
        for _ in _pieces():
            send()
        return sum(_PIECE for piece in received(sink) if len(piece) > _PIECE) / _MEGABYTE


def _to_manager(net: Network, place: str = "f220") -> float:
    """Return how many of 60 connections to the manager are open at the same time."""
    socks = []
    for _ in range(60):
        with namespaces.inside(net.path(place)):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            sock.connect((topology.GATEWAY, 9618))
        socks.append(sock)
    time.sleep(0.2)
    found = sum(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and _is_connected(sock) for sock in socks)
    for sock in socks:
        sock.close()
    return found


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def pings(net: Network, place: str = "f220") -> float:
    """Return how many of 60 pings of one program the gateway answers."""
    with namespaces.inside(net.path(place)):
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with sock:
        for number in range(60):
            sock.sendto(frames.icmp(8, 0, b"ping", 77, number), (topology.GATEWAY, 0))
        return len([packet for packet in received(sock) if packet[20] == 0])


def logged(net: Network, place: str = "f220", count: int = 60) -> float:
    """Return how many flows to a denied host the log tells of, of so many."""
    log = nflog.Listener(net.path("submit"), LOG_GROUP)
    try:
        for _ in range(count):
            with udp(net, place) as sock:
                sock.sendto(b"denied", (topology.STORAGE, 7000))
        time.sleep(0.1)
        return len([prefix for prefix, _ in log.messages() if prefix == "flock denied: "])
    finally:
        log.close()


def _marked(net: Network) -> float:
    """Return how many of 60 datagrams still have the mark (DSCP EF) that they were sent with."""
    with udp(net, "remote", topology.INTERNET, 7000) as sink, udp(net, "f220") as sock:
        sink.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xB8)
        found = 0
        sink.settimeout(1)
        for _ in range(60):
            sock.sendto(b"marked", (topology.INTERNET, 7000))
            found += any(data[0] & 0xFC for _, _, data in sink.recvmsg(100, 100)[1])
        return found


def _idle_hours(net: Network) -> float:
    """Return for how many hours an open connection is remembered."""
    forget.connections(net, "submit")
    with namespaces.inside(net.path("f220")):
        sock = socket.create_connection((topology.INTERNET, 443), 2)
    with sock:
        sock.recv(100)
        return max(tracked.timeouts(net, "submit")) / 3600


_NEW = {"gateway_new_flows_per_second": 5, "gateway_new_flows_burst": 10}
# Each segment is the beginning of a flow there: no one has the connection.
_SLOW_OF_MANY = {
    "gateway_megabytes_per_second": 1,
    "gateway_new_flows_per_second": 100000,
    "gateway_new_flows_burst": 100000,
}
_FEW_TO_MANAGER = {"gateway_condor_connections": 12}
_SLOW, _ALL_SLOW = {"gateway_megabytes_per_second": 1}, {"gateway_total_megabytes_per_second": 1}
LIMITS = (
    Limit("new flows per second", "too many new flows", _NEW, _new_flows, low=5, high=20),
    Limit("datagrams of an unanswered flow", "", _NEW, _unanswered, low=60, high=60, usual=False),
    Limit("flows at the same time", "too many connections", {"gateway_connections": 12}, _connections, low=8, high=14),
    Limit("part of all flows", "too many connections", {"gateway_total_connections": 24}, _connections, low=8, high=14),
    Limit(
        "connections to the manager", "too many connections to", {"gateway_condor_connections": 12}, _to_manager, low=8, high=14
    ),
    Limit("megabytes sent", "sends too fast", _SLOW, _sent, low=0.5, high=2.5),
    Limit("megabytes received", "receives too fast", _SLOW, _loaded, low=0.5, high=2.5),
    Limit("megabytes sent by all", "all send too fast", _ALL_SLOW, _sent, low=0.5, high=2.5),
    Limit("megabytes received by all", "all receive too fast", _ALL_SLOW, _loaded, low=0.5, high=2.5),
    Limit("megabytes to the gateway", "sends too fast to", _SLOW_OF_MANY, _to_gateway, low=0.5, high=2.5, usual=False),
    Limit("megabytes from the gateway", "receives too fast from", _SLOW, _from_gateway, low=0.5, high=2.5),
    Limit("pings", "ping", {}, pings, low=15, high=25, usual=False),
    Limit("log entries", "flock denied", {"gateway_log_per_second": 5}, logged, low=4, high=12),
    Limit("marked datagrams", "dscp", {}, _marked, low=0, high=0, usual=False),
    Limit("hours that an idle connection is remembered", "ct timeout", {}, _idle_hours, low=0.9, high=1, usual=False),
)


def measuring(rule: str) -> list[Limit]:
    """Return the limits that tell whether a rule is there; all of them where none is known to."""
    return [limit for limit in LIMITS if limit.rule and limit.rule in rule] or list(LIMITS)


def problem(net: Network, limit: Limit) -> str:
    """Measure with the ruleset as it is loaded; return what is wrong, or an empty text."""
    started = time.monotonic()
    found = limit.measure(net)
    took = time.monotonic() - started
    if limit.low <= found <= limit.high + took:
        return ""
    return f"{limit.name}: {found:g}, expected {limit.low:g} to {limit.high:g}"
