# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's notices that something may have changed that a service looks after."""

from __future__ import annotations

import select
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from flock_net import link_exists

_NETLINK_ROUTE = 0
_NETLINK_NETFILTER = 12
_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
# Groups of <linux/rtnetlink.h> and <linux/netfilter/nfnetlink.h>.
# Links, tc, IPv4 addresses, IPv4 policy rules, IPv4 switches such as forwarding.
_ROUTE_GROUPS = (1, 4, 5, 8, 24)
_GROUP_NFTABLES = 7
_LINK_KINDS = (16, 17)
_TC_KINDS = range(36, 47)


class Events:
    """The kernel's notices that may concern a service. Whoever waits sleeps until one comes: looking costs much more."""

    def __init__(self, tables: Iterable[str], interface: str) -> None:
        self.tables = [table.encode() + b"\0" for table in tables]
        self.interface = interface
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
            index = int.from_bytes(notice[20:24], sys.byteorder)
            return link_exists(self.interface) and index == socket.if_nametoindex(self.interface)
        return True

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
