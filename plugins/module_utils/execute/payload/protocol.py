# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a pilot's ``sheepfold-payload`` and the switch say to each other."""

from __future__ import annotations

import _socket
import os
import sys

from ..ipc import framing

#: Standard input, output and error of the payload, and its executable.
DESCRIPTORS = 4
_INT = framing.INT


class PayloadRequest:
    """A payload that a pilot asks for: whose it is, its words and the environment of its caller."""

    __slots__ = ("environment", "owner", "words")

    def __init__(self, owner: str, words: list[bytes], environment: dict[bytes, bytes]) -> None:
        self.owner = owner
        self.words = words
        self.environment = environment


def pack(call: PayloadRequest) -> bytes:
    """A call as bytes."""
    return framing.pack([os.fsencode(call.owner), *framing.program_fields(call.words, call.environment)])


def unpack(body: bytes) -> PayloadRequest:
    """The call that bytes tell of. Raises ValueError when they tell of none."""
    fields = framing.unpack(body)
    words, environment = framing.program_of(fields[1:])
    if b"\0" in fields[0]:
        raise ValueError("its owner makes no sense")
    return PayloadRequest(os.fsdecode(fields[0]), words, environment)


def send(channel: _socket.socket, call: PayloadRequest, descriptors: list[int]) -> None:
    """Send a call with the payload's descriptors. Raises OSError."""
    data = pack(call)
    rights = b"".join(each.to_bytes(_INT, sys.byteorder) for each in descriptors)
    sent = channel.sendmsg([data[:_INT]], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
    channel.sendall(data[sent:])


def receive(channel: _socket.socket) -> tuple[PayloadRequest, list[int]]:
    """The call that the other end sends, and its descriptors. Raises OSError or ValueError."""
    head, rights, _, _ = channel.recvmsg(_INT, _socket.CMSG_SPACE(DESCRIPTORS * _INT), _socket.MSG_CMSG_CLOEXEC)
    descriptors: list[int] = []
    for level, kind, data in rights:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            usable = len(data) - len(data) % _INT
            descriptors += [int.from_bytes(data[at : at + _INT], sys.byteorder) for at in range(0, usable, _INT)]
    length = int.from_bytes(head, "big")
    if len(head) < _INT or not 0 < length <= framing.LONGEST or len(descriptors) != DESCRIPTORS:
        raise ValueError(f"expected a call of at most {framing.LONGEST} bytes and {DESCRIPTORS} descriptors")
    body = b""
    while len(body) < length:
        chunk = channel.recv(min(length - len(body), 1 << 16))
        if not chunk:
            raise ValueError("the call is cut short")
        body += chunk
    return unpack(body), descriptors
