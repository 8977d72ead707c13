# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTCondor's port on a gateway with a second way to the Internet."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import namespaces

from . import layers, topology
from .topology import Network

STRANGER, OWN = "203.0.114.80", "10.99.0.80"


@pytest.fixture(name="two_ways")
def fixture_two_ways(network: Network) -> Iterator[Network]:
    """Return the network with another link between the gateway and the Internet."""
    network.ip("submit", f"link add wan2 type veth peer name wan2 netns {network.name('remote')}\nlink set wan2 up\n")
    network.ip("submit", f"addr add 203.0.114.1/24 dev wan2\nroute add {OWN}/32 dev wan2\n")
    network.ip("remote", f"link set wan2 up\naddr add {STRANGER}/24 dev wan2\naddr add {OWN}/32 dev wan2\n")
    network.ip("remote", f"route add {topology.WAN_ADDRESS}/32 dev wan2\n")
    try:
        yield network
    finally:
        network.ip("submit", "link del wan2\n")
        network.ip("remote", "route flush cache\n")
        layers.gateway_rules(network)


def _connects(net: Network, source: str) -> bool:
    with namespaces.inside(net.path("remote")):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with sock:
        sock.bind((source, 0))
        sock.settimeout(0.7)
        try:
            sock.connect((topology.WAN_ADDRESS, 9618))
        except OSError:
            return False
        return True


def test_the_filter_holds_on_every_way_out(two_ways: Network) -> None:
    layers.gateway_rules(two_ways)
    assert _connects(two_ways, STRANGER), "the way is there"
    layers.gateway_rules(two_ways, gateway__seen={"default_interfaces": ["wan", "wan2"]})
    assert not _connects(two_ways, STRANGER)
    assert _connects(two_ways, OWN), "the site's own hosts may come by it"
    layers.gateway_rules(two_ways, gateway__seen={"default_interfaces": ["wan"]})
    assert _connects(two_ways, STRANGER), "it is no way out"
