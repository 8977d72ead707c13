# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For how long a namespace's kernel will remember its connections."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import namespaces

from .topology import Network

_NETLINK_NETFILTER = 12
_GET = (1 << 8) | 1  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
_REQUEST_DUMP = 0x301
_DONE = 3
_TIMEOUT = 7  # CTA_TIMEOUT
_HEADERS = 20  # nlmsghdr and nfgenmsg


def timeouts(net: Network, place: str) -> list[int]:
    """Return the seconds until each tracked IPv4 connection is forgotten if it stays idle."""
    found: list[int] = []
    with (
        namespaces.inside(net.path(place)),
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as sock,
    ):
        sock.bind((0, 0))
        sock.settimeout(2)
        sock.send(struct.pack("IHHIIBBH", _HEADERS, _GET, _REQUEST_DUMP, 1, 0, socket.AF_INET, 0, 0))
        while True:
            for kind, body in _messages(sock.recv(1 << 16)):
                if kind == _DONE:
                    return found
                found += [struct.unpack("!I", value)[0] for name, value in _attributes(body) if name == _TIMEOUT]


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        length, kind = struct.unpack("IH", data[:6])
        yield kind, data[_HEADERS:length]
        data = data[(length + 3) // 4 * 4 :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        length, kind = struct.unpack("HH", data[:4])
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) // 4 * 4 :]
