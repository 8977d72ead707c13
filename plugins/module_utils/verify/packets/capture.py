# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeing a run's packets: on the wire of every interface of a namespace, and past its filters.

One capture watches many namespaces: a socket stays in the namespace where it was made. Two kinds of socket:
a packet socket sees what arrives before any filter and what leaves after all of them; raw IP sockets see what the namespace's
own IP stack accepted, after the filters of its input. Only short packets are looked at (a filter in the kernel drops
the rest), so that a busy gateway's bulk traffic costs nothing here.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import selectors
import socket
import struct
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..model import Sighting
from . import markers, namespaces
from .frames import ICMP, ICMPV6, TCP, TYPE_ARP, TYPE_IPV4, TYPE_IPV6, TYPE_QINQ, TYPE_VLAN

LONGEST = 700
_ERRORS = {ICMP: (3, 5, 11, 12), ICMPV6: (1, 2, 3, 4)}
_ALL = 0x0003
_SOL_PACKET, _PACKET_AUXDATA, _PACKET_STATISTICS, _SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 263, 8, 6, 26, 33
_BUFFER = 8 << 20
_TP_STATUS_VLAN_VALID = 1 << 4
_STACK = [(socket.AF_INET, number) for number in (1, 2, 4, 6, 17, 41, 47, 50, 132)] + [
    (socket.AF_INET6, number) for number in (6, 17, 58)
]
# load the packet's length; longer than LONGEST: take nothing; else take it whole
_FILTER = b"".join(
    struct.pack("HBBI", *line) for line in ((0x80, 0, 0, 0), (0x25, 0, 1, LONGEST), (0x06, 0, 0, 0), (0x06, 0, 0, 65535))
)
_filter_buffer = ctypes.create_string_buffer(_FILTER)


def _only_short(sock: socket.socket) -> None:
    program = struct.pack("HL", len(_FILTER) // 8, ctypes.addressof(_filter_buffer))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _short_tcp_key(ports: frozenset[int], segment: bytes) -> tuple[str, str] | None:
    """Return (key, kind) for a TCP segment from or to a port of the run."""
    if len(segment) < 4:
        return None
    source, destination = struct.unpack("!HH", segment[:4])
    if source in ports:
        return f"tcp:{source}", "frame"
    if destination in ports:
        return f"tcp:{destination}", "reply"
    return None


class Reader:
    """Recognises the packets of some runs."""

    def __init__(self, runs: Sequence[int]) -> None:
        """Prepare for their tokens and ports."""
        self._pattern = markers.pattern(runs)
        self._ports = markers.ports(runs)

    def ip(self, packet: bytes) -> list[tuple[str, str, str]]:
        """Return (key, kind, source address) for what an IP packet of the run carries."""
        source, protocol, rest = _ip_parts(packet)
        kind = "frame"
        quoted = b""
        if len(rest) >= 8 and rest[0] in _ERRORS.get(protocol, ()):
            kind, quoted = f"error:{rest[0]}/{rest[1]}", rest[8:]
        found = [(match.decode(), kind, source) for match in set(self._pattern.findall(packet))]
        segment, inner = rest, protocol
        if quoted:
            _, inner, segment = _ip_parts(quoted)
        if inner == TCP:
            key = _short_tcp_key(self._ports, segment)
            if key:
                found.append((key[0], kind if quoted else key[1], source))
        return found

    def frame(self, kind: int, payload: bytes) -> list[tuple[str, str, str]]:
        """Return (key, kind, source address) for what an Ethernet frame of the run carries."""
        if kind in (TYPE_IPV4, TYPE_IPV6):
            return self.ip(payload)
        source = socket.inet_ntoa(payload[14:18]) if kind == TYPE_ARP and len(payload) >= 18 else ""
        return [(match.decode(), "frame", source) for match in set(self._pattern.findall(payload))]


def _ip_parts(packet: bytes) -> tuple[str, int, bytes]:
    """Return (source address, protocol, payload) of an IP packet; the protocol of a later fragment is -1."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        length = (packet[0] & 0x0F) * 4
        later = struct.unpack("!H", packet[6:8])[0] & 0x1FFF
        return socket.inet_ntoa(packet[12:16]), -1 if later else packet[9], packet[length:]
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        return socket.inet_ntop(socket.AF_INET6, packet[8:24]), packet[6], packet[40:]
    return "", -1, b""


class Capture:
    """All points of some places, watched at the same time."""

    def __init__(
        self,
        runs: Sequence[int],
        places: Mapping[str, str],
        foreign_sources: Mapping[str, tuple[str, frozenset[str]]] | None = None,
    ) -> None:
        """Open the sockets.

        Args:
            runs: their numbers.
            places: path of the network namespace of each place; an empty path is the caller's own.
            foreign_sources: place to (network, interfaces): IPv4 packets with a source address of that network are noted under
                the key ``source``, except on those interfaces.
        """
        self._reader = Reader(runs)
        self._foreign = {place: _mask(*exempt) for place, exempt in (foreign_sources or {}).items()}
        self._seen: Counter[tuple[str, str, str, bool, str]] = Counter()
        self._places = dict(places)
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []
        self._wires: list[socket.socket] = []
        for place, namespace in self._places.items():
            with namespaces.inside(namespace):
                self._open(place)

    def _open(self, place: str) -> None:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(_ALL))
        wire.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._watch(wire, place, None)
        self._wires.append(wire)
        for family, number in _STACK:
            with contextlib.suppress(OSError):  # a kernel without IPv6
                stack = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, number)
                self._watch(stack, place, (family, number))

    def _watch(self, sock: socket.socket, place: str, stack: tuple[int, int] | None) -> None:
        self._sockets.append(sock)
        if stack is None or stack[1] == TCP:
            _only_short(sock)
        try:  # beyond net.core.rmem_max
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._selector.register(sock, selectors.EVENT_READ, (sock, place, stack))

    def poll(self, seconds: float, until: Any = None) -> None:
        """Watch for some seconds, or until the descriptor ``until`` can be read."""
        end = time.monotonic() + seconds
        if until is not None:
            self._selector.register(until, selectors.EVENT_READ, None)
        try:
            while (left := end - time.monotonic()) > 0:
                for key, _ in self._selector.select(left):
                    if key.data is None:
                        return
                    self._drain(*key.data)
        finally:
            if until is not None:
                self._selector.unregister(until)

    def finish(self, quiet: float = 0.2, patience: float = 20) -> int:
        """Look at what has arrived and not been looked at; return how many packets the kernel had to throw away.

        Args:
            quiet: seconds without a packet that are taken for the end.
            patience: seconds to look at the most; what is left then counts as thrown away.
        """
        end = time.monotonic() + patience
        while ready := self._selector.select(quiet):
            if time.monotonic() > end:
                return self._lost() + len(ready)
            for key, _ in ready:
                self._drain(*key.data)
        return self._lost()

    def _lost(self) -> int:
        """Return how many packets the kernel dropped because nobody had taken the earlier ones yet (tpacket_stats)."""
        return sum(struct.unpack("II", wire.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1] for wire in self._wires)

    def _drain(self, sock: socket.socket, place: str, stack: tuple[int, int] | None) -> None:
        for _ in range(64):
            try:
                data, extra, _flags, address = sock.recvmsg(4096, 64)
            except BlockingIOError:
                return
            except OSError:  # the interface went down
                return
            if stack:
                self._note_stack(place, stack, data, address)
            else:
                self._note_frame(place, data, extra, address)

    def _note_stack(self, place: str, stack: tuple[int, int], data: bytes, address: Any) -> None:
        family, number = stack
        if family == socket.AF_INET6:  # without its header
            head = struct.pack("!IHBB", 6 << 28, len(data), number, 64)
            data = head + socket.inet_pton(socket.AF_INET6, address[0].split("%")[0]) + b"\0" * 16 + data
        for key, kind, source in self._reader.ip(data):
            self._seen[key, f"{place}:stack", kind, False, source] += 1

    def _note_frame(self, place: str, data: bytes, extra: list[Any], address: Any) -> None:
        if len(data) < 14:
            return
        interface, _protocol, packet_type = address[0], address[1], address[2]
        kind = struct.unpack("!H", data[12:14])[0]
        payload = data[14:]
        tag = _tag(extra)
        if not tag and packet_type == socket.PACKET_OUTGOING and kind == TYPE_VLAN and "." not in interface:
            # A parent sends its subinterface's frames with the tag in them.
            tag, kind, payload = struct.unpack("!H", payload[:2])[0] & 0x0FFF, *_untagged(payload)
        elif kind in (TYPE_VLAN, TYPE_QINQ):
            payload = data[12:]
        direction = "out" if packet_type == socket.PACKET_OUTGOING else "in"
        interface = f"{interface}.{tag}" if tag else interface
        where = f"{place}:{interface}"
        other = packet_type == socket.PACKET_OTHERHOST
        for key, what, source in self._reader.frame(kind, payload):
            self._seen[key, f"{where}:{direction}", what, other, source] += 1
        foreign = self._foreign.get(place)
        if foreign and kind == TYPE_IPV4 and not other and len(payload) >= 20 and interface not in foreign[2]:
            number = struct.unpack("!I", payload[12:16])[0]
            if number & foreign[1] == foreign[0]:
                self._seen["source", f"{where}:{direction}", "frame", False, socket.inet_ntoa(payload[12:16])] += 1

    def sightings(self) -> list[Sighting]:
        """Return what was seen."""
        return [Sighting(*what, count) for what, count in sorted(self._seen.items())]

    def neighbours(self) -> dict[str, dict[str, str]]:
        """Return the neighbour table of every place that is still there."""
        tables = {}
        for place, namespace in self._places.items():
            with contextlib.suppress(FileNotFoundError), namespaces.inside(namespace):
                tables[place] = namespaces.neighbours()
        return tables

    def close(self) -> None:
        """Close the sockets."""
        self._selector.close()
        for sock in self._sockets:
            sock.close()


def _mask(network: str, exempt: frozenset[str]) -> tuple[int, int, frozenset[str]]:
    """Return a network as (address, mask) in numbers, and the interfaces where it is at home."""
    net = ipaddress.IPv4Network(network)
    return int(net.network_address), int(net.netmask), exempt


def _untagged(payload: bytes) -> tuple[int, bytes]:
    return struct.unpack("!H", payload[2:4])[0], payload[4:]


def _tag(extra: list[Any]) -> int:
    """Return the VLAN id that the kernel took out of a frame, or 0."""
    for level, kind, data in extra:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(data) >= 20:
            status = struct.unpack("I", data[:4])[0]
            if status & _TP_STATUS_VLAN_VALID:
                return int(struct.unpack("H", data[16:18])[0]) & 0x0FFF
    return 0
