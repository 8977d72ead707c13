# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one container may use: the gateway's limits, each with a small value, so that a short burst exceeds it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify import namespaces

from . import topology
from .topology import Network

_FORCE_RECEIVE_BUFFER = 33
_PIECE = 1400
_MEGABYTE = 1000 * 1000


@dataclass(frozen=True)
class Limit:
    """One limit: the role's variables that make it small, what measures it, and what may come of it."""

    name: str
    settings: dict[str, int]
    measure: Callable[[Network], float]
    low: float
    high: float


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


def _megabytes(sender: socket.socket, sink: socket.socket, address: tuple[str, int]) -> float:
    """Return how many of 4 megabytes arrive."""
    for number in range(4 * _MEGABYTE // _PIECE):
        sender.sendto(b"\0" * _PIECE, address)
        if number % 100 == 99:
            time.sleep(0.002)  # the kernel's queue between two namespaces holds 1000 packets
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


LIMITS = (
    Limit("new flows per second", {"gateway_new_flows_per_second": 5, "gateway_new_flows_burst": 10}, _new_flows, low=5, high=20),
    Limit("flows at the same time", {"gateway_connections": 12}, _connections, low=8, high=14),
    Limit("megabytes sent", {"gateway_megabytes_per_second": 1}, _sent, low=0.5, high=2.5),
    Limit("megabytes received", {"gateway_megabytes_per_second": 1}, _loaded, low=0.5, high=2.5),
)


def problem(net: Network, limit: Limit) -> str:
    """Measure with the ruleset as it is loaded; return what is wrong, or an empty text."""
    started = time.monotonic()
    found = limit.measure(net)
    took = time.monotonic() - started
    if limit.low <= found <= limit.high + took:
        return ""
    return f"{limit.name}: {found:g}, expected {limit.low:g} to {limit.high:g}"
