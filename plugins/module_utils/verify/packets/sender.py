# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sending a run's attempts from one network namespace, as a job's user or as root with CAP_NET_RAW.

All attempts of a sender are under way at the same time; then it waits for answers until a deadline.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import time
from collections.abc import Sequence
from typing import Any

from ..model import JOB, OPEN, Attempt, Sent
from . import namespaces

MULTICAST = ("224.", "239.", "255.")
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETDOWN)
IPV6_FREEBIND = 78
_PATIENCE, _TICK = 6, 0.05
# Close with RST: no TIME_WAIT, so that the port can serve again.
_RESET_ON_CLOSE = b"\x01\0\0\0\0\0\0\0"


def _error(code: int) -> str:
    if code in _UNREACHABLE:
        return "unreachable"
    if code == errno.ECONNREFUSED:
        return "refused"
    if code in (errno.ETIMEDOUT, errno.EINPROGRESS):
        return "silent"
    return errno.errorcode.get(code, str(code))


class _Waiting:
    """The sockets that may still be answered."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.results: dict[str, Sent] = {}
        self.sockets: list[socket.socket] = []
        self._packet: socket.socket | None = None

    def packet_socket(self) -> socket.socket:
        """Return the one packet socket of this sender: closing one takes the kernel some 15 ms."""
        if self._packet is None:
            self._packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.sockets.append(self._packet)
        return self._packet

    def add(self, attempt: Attempt, sock: socket.socket, events: int) -> None:
        self.sockets.append(sock)
        self.selector.register(sock, events, (attempt, sock))

    def note(self, attempt: Attempt, sent: bool, outcome: str, answer: str = "") -> None:
        self.results[attempt.token] = Sent(attempt.token, sent, outcome, answer)

    def close(self) -> None:
        self.selector.close()
        for sock in self.sockets:
            sock.close()


def _tcp_socket(attempt: Attempt) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    sock.bind((attempt.source, attempt.source_port))
    with contextlib.suppress(BlockingIOError):
        sock.connect((attempt.address, attempt.port))
    return sock


def _send_tcp(attempt: Attempt, waiting: _Waiting) -> None:
    waiting.add(attempt, _tcp_socket(attempt), selectors.EVENT_WRITE)
    waiting.note(attempt, True, "silent")


def _send_udp(attempt: Attempt, waiting: _Waiting) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    if attempt.how != "udp-close":
        waiting.add(attempt, sock, selectors.EVENT_READ)
    payload = bytes.fromhex(attempt.payload)
    if attempt.address.startswith(MULTICAST) or attempt.address.endswith(".255"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.sendto(payload, (attempt.address, attempt.port))
    else:  # only a connected socket is told of an ICMP error
        sock.connect((attempt.address, attempt.port))
        sock.send(payload)
    if attempt.how == "udp-close":
        sock.close()
    waiting.note(attempt, True, "silent")


def _send_udp6(attempt: Attempt, waiting: _Waiting) -> None:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    waiting.sockets.append(sock)
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    if attempt.interface:
        sock.bind(("fe80::5346", 0, 0, socket.if_nametoindex(attempt.interface)))
        sock.sendto(bytes.fromhex(attempt.payload), (attempt.address, attempt.port, 0, socket.if_nametoindex(attempt.interface)))
    else:
        sock.sendto(bytes.fromhex(attempt.payload), (attempt.address, attempt.port))
    waiting.note(attempt, True, "silent")


def _send_frames(attempt: Attempt, waiting: _Waiting) -> None:
    sock = waiting.packet_socket()
    outcome = "silent"
    for frame in attempt.frames:
        try:
            sock.sendto(bytes.fromhex(frame), (attempt.interface, attempt.claimed))
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # what a packet socket is told when a filter below drops the frame
                raise
            outcome = "dropped"
    waiting.note(attempt, True, outcome)


def _send_nothing(attempt: Attempt, waiting: _Waiting) -> None:
    waiting.note(attempt, True, "silent")


_SEND = {
    "tcp": _send_tcp,
    "udp": _send_udp,
    "udp-close": _send_udp,
    "udp6": _send_udp6,
    "frame": _send_frames,
    "none": _send_nothing,
}


def _start(attempt: Attempt, waiting: _Waiting) -> None:
    try:
        _SEND[attempt.how](attempt, waiting)
    except OSError as error:
        waiting.note(attempt, False, _error(error.errno or 0))


def _on_writable(attempt: Attempt, sock: socket.socket, waiting: _Waiting) -> None:
    """A TCP connection is there, or is not."""
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        waiting.selector.unregister(sock)
        waiting.note(attempt, True, _error(code))
        return
    waiting.note(attempt, True, "open")
    waiting.selector.modify(sock, selectors.EVENT_READ, (attempt, sock))
    with contextlib.suppress(OSError):
        sock.send(attempt.token.encode() + b"\n")


def _on_readable(attempt: Attempt, sock: socket.socket, waiting: _Waiting) -> None:
    """An answer, or an error, has come."""
    try:
        data = sock.recv(512)
    except OSError as error:
        if waiting.results[attempt.token].outcome != "open":
            waiting.note(attempt, True, _error(error.errno or 0))
        waiting.selector.unregister(sock)
        return
    if attempt.how.endswith("tcp") and not data:
        waiting.selector.unregister(sock)
        return
    waiting.note(attempt, True, "open", data.decode("latin-1"))


def _is_missed(attempt: Attempt, waiting: _Waiting) -> bool:
    """Return whether an answer that has to come has not come yet."""
    noticed = waiting.results[attempt.token]
    return attempt.expect == OPEN and bool(attempt.answered) and noticed.sent and noticed.outcome == "silent"


def send(attempts: Sequence[Attempt], settle: float) -> list[dict[str, Any]]:
    """Send from the calling process's namespace, wait for answers, and return a Sent for each attempt.

    Args:
        attempts: all of this sender.
        settle: seconds to wait for answers after the last packet has left; for those that have to come, some times as long.
    """
    waiting = _Waiting()
    try:
        for attempt in attempts:
            _start(attempt, waiting)
        end = time.monotonic() + settle
        last = end + _PATIENCE * settle
        while (now := time.monotonic()) < end or (now < last and any(_is_missed(attempt, waiting) for attempt in attempts)):
            for key, events in waiting.selector.select(_TICK):
                react = _on_writable if events & selectors.EVENT_WRITE else _on_readable
                attempt, sock = key.data
                react(attempt, sock, waiting)
        return [waiting.results[token].as_dict() for token in sorted(waiting.results)]
    finally:
        waiting.close()


def send_as(namespace: str, uid: int, attempts: Sequence[Attempt], settle: float) -> namespaces.Child:
    """Send from a namespace in a process of its own.

    Args:
        namespace: path of the network namespace.
        uid: the job's user, for attempts of JOB.
        attempts: all of the same ``who``.
        settle: seconds to wait for answers.
    """

    def run() -> list[dict[str, Any]]:
        if namespace:
            namespaces.enter(namespace)
        if attempts and attempts[0].who == JOB:
            namespaces.become(uid)
        else:
            namespaces.keep_only_net_raw()
        return send(attempts, settle)

    return namespaces.Child(run)
