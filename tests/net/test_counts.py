# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is counted of a container's flows outlives a load of the rules."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import harness, layers, topology
from .limits import received, udp
from .listeners import listening
from .service import GatewayService
from .topology import Network

FEW = {"gateway_connections": 12}
SINK = (topology.INTERNET, 7000)


@pytest.fixture(name="site", scope="module")
def fixture_site() -> Iterator[Network]:
    """Return a network without rules."""
    with topology.network() as net, listening(harness.listeners(net)):
        layers.neighbours(net)
        # However long a busy machine takes: a flow that is forgotten does not count.
        net.sysctl("submit", {"netfilter/nf_conntrack_udp_timeout": 600})
        yield net


@pytest.fixture(name="service")
def fixture_service(site: Network, tmp_path: Path) -> Iterator[GatewayService]:
    """Return the gateway's service with a small limit, loaded."""
    service = GatewayService(site.path("submit"), tmp_path)
    service.describe(limits=FEW)
    service("load")
    try:
        yield service
    finally:
        service("remove")


def _more(net: Network, held: list[socket.socket], count: int = 20) -> int:
    """Begin flows that stay open, and return how many come through."""
    with udp(net, "remote", *SINK) as sink:
        for _ in range(count):
            held.append(udp(net, "f220"))
            held[-1].sendto(b"one of many", SINK)
        return len(received(sink))


def test_a_load_does_not_give_a_container_its_share_once_more(site: Network, service: GatewayService) -> None:
    held: list[socket.socket] = []
    first = _more(site, held)
    assert 8 <= first <= 14
    service("load")
    assert _more(site, held) == 0
    # Another hand deletes the rules, and they come back.
    site.nft("submit", "delete table inet flock_gateway\n")
    service("load")
    assert _more(site, held) == 0
    # Other rules, of another version.
    service.describe(limits=FEW, rendered=service.rules.read_text().replace("100000/second", "100001/second"))
    service("load")
    assert _more(site, held) == 0
    for sock in held:
        sock.close()


def test_another_limit_is_loaded_and_counts_anew(site: Network, service: GatewayService) -> None:
    held: list[socket.socket] = []
    assert _more(site, held) <= 14
    service.describe(limits={"gateway_connections": 30})
    service("load")
    assert _more(site, held) == 20
    for sock in held:
        sock.close()


@pytest.mark.parametrize(
    "damage",
    [
        "delete table inet flock_limits",
        "flush chain inet flock_limits count",
        "add chain inet flock_limits another { type filter hook prerouting priority 5; }",
        "flush ruleset",
    ],
)
def test_what_another_hand_does_to_it_is_seen_and_mended(site: Network, service: GatewayService, damage: str) -> None:
    service("check")
    site.nft("submit", damage + "\n")
    assert "limits" in service.attempt("check")[1]
    service("load")
    service("check")
    held: list[socket.socket] = []
    assert 8 <= _more(site, held) <= 14
    for sock in held:
        sock.close()
