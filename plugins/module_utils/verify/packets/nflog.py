# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listening to an NFLOG group of a network namespace: what is logged, with which prefix.

Source: linux/netfilter/nfnetlink_log.h and linux/netfilter/nfnetlink.h.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

from . import namespaces

_NETLINK_NETFILTER = 12
_NLM_F_REQUEST_ACK = 5
_SUBSYSTEM = 4  # NFNL_SUBSYS_ULOG
_CONFIG, _PACKET = 1, 0
_ATTRIBUTE_COMMAND, _ATTRIBUTE_MODE, _ATTRIBUTE_THRESHOLD, _ATTRIBUTE_PAYLOAD, _ATTRIBUTE_PREFIX = 1, 2, 5, 9, 10
_BIND = 1
_COPY_PACKET, _LONGEST = 2, 256


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
        # The beginning of each packet, and each message at once; mode is (length, copy mode, padding).
        for attribute in (
            _attribute(_ATTRIBUTE_COMMAND, bytes([_BIND])),
            _attribute(_ATTRIBUTE_MODE, struct.pack("!IBB", _LONGEST, _COPY_PACKET, 0)),
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

    def messages(self) -> list[tuple[str, bytes]]:
        """Return (prefix, IP packet) of the messages that have come since the last time."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found += _messages(self._socket.recv(1 << 18))
        return found

    def close(self) -> None:
        """Leave the group."""
        self._socket.close()


def _messages(data: bytes) -> list[tuple[str, bytes]]:
    found = []
    while len(data) >= 20:
        length, kind = struct.unpack("IH", data[:6])
        if kind == (_SUBSYSTEM << 8) | _PACKET:
            attributes = dict(_attributes(data[20:length]))
            prefix = attributes.get(_ATTRIBUTE_PREFIX, b"").rstrip(b"\0").decode()
            found.append((prefix, attributes.get(_ATTRIBUTE_PAYLOAD, b"")))
        data = data[max(20, (length + 3) // 4 * 4) :]
    return found


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        size, kind = struct.unpack("HH", data[:4])
        yield kind & 0x7FFF, data[4:size]
        data = data[max(4, (size + 3) // 4 * 4) :]
