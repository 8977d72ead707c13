# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What begins between a container and a service of the gateway while the table is missing ends when the table is back."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import namespaces

from . import forget, layers, topology
from .topology import Network

PORT = 2222
ROUNDS, WAIT = 4, 0.1
SITE = """table ip site {
  chain input {
    type filter hook input priority 0; policy accept;
    ct state established accept
  }
}
"""


def _socket(net: Network, place: str, kind: int) -> socket.socket:
    with namespaces.inside(net.path(place)):
        sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(2)
    return sock


def _tcp(net: Network) -> tuple[socket.socket, socket.socket]:
    with _socket(net, "submit", socket.SOCK_STREAM) as listener:
        listener.bind((topology.GATEWAY, PORT))
        listener.listen(1)
        client = _socket(net, "f220", socket.SOCK_STREAM)
        client.connect((topology.GATEWAY, PORT))
        return client, listener.accept()[0]


def _udp(net: Network) -> tuple[socket.socket, socket.socket]:
    server = _socket(net, "submit", socket.SOCK_DGRAM)
    server.bind((topology.GATEWAY, PORT))
    client = _socket(net, "f220", socket.SOCK_DGRAM)
    client.connect((topology.GATEWAY, PORT))
    client.send(b"hello")
    server.connect(server.recvfrom(100)[1])
    return client, server


def _says(sock: socket.socket, text: bytes) -> None:
    try:
        sock.send(text)
    except (PermissionError, ConnectionError):  # the rules say no
        return


def _heard(sock: socket.socket) -> bytes:
    sock.settimeout(WAIT)
    try:
        return sock.recv(1000)
    except (TimeoutError, socket.timeout, ConnectionError):
        return b""


@pytest.fixture(name="tracked", params=[False, True], ids=["alone", "beside-a-table-that-tracks"])
def fixture_tracked(request: pytest.FixtureRequest, network: Network) -> Iterator[Network]:
    """Return a network without the gateway's table; with a table of the site's own that tracks connections, or without."""
    if request.param:
        network.nft("submit", SITE)
    network.nft("submit", "delete table inet flock_gateway\n")
    try:
        yield network
    finally:
        if request.param:
            network.nft("submit", "delete table ip site\n")
        layers.gateway_rules(network)
        forget.connections(network, "submit")


@pytest.mark.parametrize("begin", [_tcp, _udp], ids=["tcp", "udp"])
def test_a_flow_from_before_the_rules_ends(tracked: Network, begin: object) -> None:
    assert callable(begin)
    client, server = begin(tracked)
    with client, server:
        client.send(b"control")
        assert server.recv(100)
        server.send(b"control")
        assert client.recv(100) == b"control"
        layers.gateway_rules(tracked)
        for _ in range(ROUNDS):
            _says(server, b"from the gateway")
            assert not _heard(client)
            _says(client, b"from the container")
            assert not _heard(server)
