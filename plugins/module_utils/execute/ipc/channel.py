# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Short messages between the processes of the switch."""

from __future__ import annotations

import _socket
import os

_LONGEST = 4096


class SeqpacketChannel:
    """One end of a connection that keeps messages apart (SOCK_SEQPACKET)."""

    __slots__ = ("_socket",)

    def __init__(self, descriptor: int) -> None:
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, descriptor)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._socket.fileno()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that it has open."""
        return (self.fileno(),)

    def send(self, message: str) -> bool:
        """Send a message; False when nobody is at the other end."""
        try:
            self._socket.send(message.encode(), _socket.MSG_NOSIGNAL)
        except OSError:
            return False
        return True

    def receive(self) -> str | None:
        """Wait for a message; None when the other end is gone."""
        try:
            message = self._socket.recv(_LONGEST)
        except OSError:
            return None
        return message.decode() or None

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


class LineChannel:
    """The same over two streams, a message a line: what comes from the other user's side is read no further than that."""

    __slots__ = ("_reader", "_writer")

    def __init__(self, reader: int, writer: int) -> None:
        self._reader = reader
        self._writer = writer

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._reader

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that it has open."""
        return (self._reader, self._writer)

    def send(self, message: str) -> bool:
        """Send a message, its line breaks as spaces; False when nobody is at the other end."""
        data = " ".join(message.splitlines()).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._writer, data) :]
        except OSError:
            return False
        return True

    def receive(self) -> str | None:
        """Wait for a message; None when the other end is gone, or says more than a message may."""
        line = b""
        try:
            while not line.endswith(b"\n"):
                # One at a time: nothing is left in a buffer that poll(2) would not see.
                byte = os.read(self._reader, 1)
                if not byte or len(line) > _LONGEST:
                    return None
                line += byte
        except OSError:
            return None
        return line.decode(errors="replace").rstrip("\n")

    def close(self) -> None:
        """Close both streams."""
        for descriptor in self.descriptors:
            os.close(descriptor)


def pair() -> tuple[SeqpacketChannel, SeqpacketChannel]:
    """Two ends of one connection, closed in programs that are executed. Raises OSError."""
    one, other = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0)
    return SeqpacketChannel(one.detach()), SeqpacketChannel(other.detach())
