# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's notices that something may have changed that a service looks after."""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flock_net import link_exists

_NETLINK_ROUTE = 0
_NETLINK_NETFILTER = 12
_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
# Groups of <linux/rtnetlink.h> and <linux/netfilter/nfnetlink.h>.
# Links, neighbours, tc, IPv4 addresses, routes and policy rules, IPv4 switches such as forwarding and rp_filter.
_ROUTE_GROUPS = (1, 3, 4, 5, 7, 8, 24)
_GROUP_NFTABLES = 7
_LINK_KINDS = (16, 17)
_ROUTE_KINDS = (24, 25)
_NEIGHBOUR_KINDS = (28, 29)
_TC_KINDS = range(36, 47)
_RTA_TABLE = 15
_NDA_DST = 1


@dataclass(frozen=True)
class Watched:
    """What a service looks after.

    Attributes:
        interface: the VLAN's.
        tables: names of nftables tables.
        route_table: number of a routing table; 0: none.
        neighbours: addresses that have permanent entries.
    """

    interface: str
    tables: Sequence[str]
    route_table: int = 0
    neighbours: Sequence[str] = ()


class Events:
    """The kernel's notices that may concern a service. Whoever waits sleeps until one comes: looking costs much more."""

    def __init__(self, watched: Watched) -> None:
        self.tables = [table.encode() + b"\0" for table in watched.tables]
        self.interface = watched.interface
        self.route_table = struct.pack("=HHI", 8, _RTA_TABLE, watched.route_table)
        self.neighbours = {struct.pack("=HH4s", 8, _NDA_DST, socket.inet_aton(item)) for item in watched.neighbours}
        self.nftables = self._listen(_NETLINK_NETFILTER, [_GROUP_NFTABLES])
        self.routing = self._listen(_NETLINK_ROUTE, _ROUTE_GROUPS)

    @staticmethod
    def _listen(protocol: int, groups: Sequence[int]) -> socket.socket:
        listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        listener.bind((0, 0))
        for group in groups:
            listener.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        listener.setblocking(False)
        return listener

    def wait(self, seconds: float) -> bool:
        """Wait for a notice that concerns the service, at most so many seconds; return whether it named a table."""
        until = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self.nftables, self.routing], [], [], max(0.0, until - time.monotonic()))
            named = self.nftables in ready and self._drain(self.nftables, self._names_a_table)
            concerned = self.routing in ready and self._drain(self.routing, self._concerns)
            if concerned and not named:
                # tc reports before it removes.
                time.sleep(0.2)
            if named or concerned or not ready:
                return named

    def _names_a_table(self, notice: bytes) -> bool:
        return any(table in notice for table in self.tables)

    def _concerns(self, notice: bytes) -> bool:
        kind = int.from_bytes(notice[4:6], sys.byteorder)
        if kind in _LINK_KINDS:
            return self.interface.encode() + b"\0" in notice
        if kind in _TC_KINDS:
            return self._is_ours(notice)
        if kind in _ROUTE_KINDS:
            return self.route_table in notice
        if kind in _NEIGHBOUR_KINDS:
            # The address is the first attribute. What containers make come and go concerns nobody.
            return self._is_ours(notice) and notice[28:36] in self.neighbours
        return True

    def _is_ours(self, notice: bytes) -> bool:
        """Return whether a notice of tc or of neighbours is about the interface."""
        index = int.from_bytes(notice[20:24], sys.byteorder)
        return link_exists(self.interface) and index == socket.if_nametoindex(self.interface)

    @staticmethod
    def _drain(listener: socket.socket, concerns: Callable[[bytes], bool]) -> bool:
        found = False
        while True:
            try:
                found = concerns(listener.recv(1 << 20)) or found
            except BlockingIOError:
                return found
            except OSError:
                # Notices were lost (ENOBUFS): one of them may have concerned us.
                found = True
