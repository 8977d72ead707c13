# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listening to an NFLOG group of a network namespace: which log prefixes turn up.

Source: linux/netfilter/nfnetlink_log.h and linux/netfilter/nfnetlink.h.
"""

from __future__ import annotations

import contextlib
import socket
import struct

from . import namespaces

_NETLINK_NETFILTER = 12
_NLM_F_REQUEST_ACK = 5
_SUBSYSTEM = 4  # NFNL_SUBSYS_ULOG
_CONFIG, _PACKET = 1, 0
_ATTRIBUTE_COMMAND, _ATTRIBUTE_MODE, _ATTRIBUTE_THRESHOLD, _ATTRIBUTE_PREFIX = 1, 2, 5, 10
_BIND = 1
_COPY_META = 1


def _attribute(kind: int, data: bytes) -> bytes:
    length = 4 + len(data)
    return struct.pack("HH", length, kind) + data + b"\0" * (-length % 4)


class Listener:
    """The log of one group."""

    def __init__(self, namespace: str, group: int) -> None:
        """Ask the kernel for copies of the group's messages.

        Raises:
            OSError: the kernel does not have NFLOG, or somebody else listens to this group.
        """
        with namespaces.inside(namespace):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind((0, 0))
        # Without the packets, and each message at once; mode is (range, copy mode, padding).
        for attribute in (
            _attribute(_ATTRIBUTE_COMMAND, bytes([_BIND])),
            _attribute(_ATTRIBUTE_MODE, struct.pack("!IBB", 0, _COPY_META, 0)),
            _attribute(_ATTRIBUTE_THRESHOLD, struct.pack("!I", 1)),
        ):
            self._request(group, attribute)

    def _request(self, group: int, attribute: bytes) -> None:
        body = struct.pack("!BBH", 0, 0, group) + attribute
        kind = (_SUBSYSTEM << 8) | _CONFIG
        self._socket.send(struct.pack("IHHII", 16 + len(body), kind, _NLM_F_REQUEST_ACK, 1, 0) + body)
        self._socket.setblocking(True)
        self._socket.settimeout(2)
        answer = self._socket.recv(4096)
        self._socket.setblocking(False)
        code = struct.unpack("i", answer[16:20])[0]
        if code:
            raise OSError(-code, f"NFLOG group {group}")

    def prefixes(self) -> set[str]:
        """Return the prefixes of the messages that have come so far."""
        found = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                found |= _prefixes(self._socket.recv(1 << 18))
        return found

    def close(self) -> None:
        """Leave the group."""
        self._socket.close()


def _prefixes(data: bytes) -> set[str]:
    found = set()
    while len(data) >= 20:
        length, kind = struct.unpack("IH", data[:6])
        if kind == (_SUBSYSTEM << 8) | _PACKET:
            rest = data[20:length]
            while len(rest) >= 4:
                size, name = struct.unpack("HH", rest[:4])
                if name & 0x7FFF == _ATTRIBUTE_PREFIX:
                    found.add(rest[4:size].rstrip(b"\0").decode())
                rest = rest[max(4, (size + 3) // 4 * 4) :]
        data = data[max(20, (length + 3) // 4 * 4) :]
    return found
