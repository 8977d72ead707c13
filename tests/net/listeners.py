# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listeners in namespaces: they accept, answer and hang up. One process for all of them."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator, Sequence

from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import namespaces

# At this port the answer comes when a hasty sender has gone.
LATE_PORT, LATE = 1234, 0.05
# (namespace, address, TCP ports, UDP ports)
Listener = tuple[str, str, Sequence[int], Sequence[int]]


def _open(listeners: Sequence[Listener], selector: selectors.DefaultSelector) -> None:
    for path, address, tcp, udp in listeners:
        with namespaces.inside(path):
            for port in tcp:
                sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((address, port))
                sock.listen(512)
                selector.register(sock, selectors.EVENT_READ, "accept")
            for port in udp:
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                sock.bind((address, port))
                selector.register(sock, selectors.EVENT_READ, "datagram")


def _serve(selector: selectors.DefaultSelector) -> None:
    while True:
        for key, _ in selector.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            with contextlib.suppress(OSError):
                if key.data == "accept":
                    connection, peer = sock.accept()
                    connection.setblocking(False)
                    connection.send(f"welcome {peer[0]}\n".encode())
                    selector.register(connection, selectors.EVENT_READ, "connection")
                elif key.data == "datagram":
                    data, peer = sock.recvfrom(2048)
                    if sock.getsockname()[1] == LATE_PORT:
                        time.sleep(LATE)
                    sock.sendto(data, peer)
                else:
                    selector.unregister(sock)
                    sock.close()


@contextlib.contextmanager
def listening(listeners: Sequence[Listener]) -> Iterator[None]:
    """Listen in a process of its own for a while."""
    selector = selectors.DefaultSelector()
    _open(listeners, selector)
    pid = os.fork()
    if pid == 0:
        try:
            namespaces.die_with_parent()
            _serve(selector)
        finally:
            os._exit(1)
    for key in list(selector.get_map().values()):
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.close()
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
