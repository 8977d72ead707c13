# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All layers as the roles apply them, and what is left when another hand flushes nftables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.judge import FAILED, LEAK

from . import harness, layers, topology
from .listeners import listening
from .tally import TALLY
from .topology import VLAN, Network

LEFT_OUT = (
    # The gateway forwards on the flock's two interfaces only.
    "the site's own way through the gateway",
    # Here routing drops it first.
    "the gateway counts what it denies",
)

# To and from the gateway's own services, which the table alone keeps.
OWN = ("gateway", "outbound")


@pytest.fixture(name="whole")
def fixture_whole(tmp_path: Path) -> Iterator[Network]:
    """Return a network as the roles leave it."""
    with topology.network() as net, listening(harness.listeners(net)):
        layers.switches(net)
        layers.gateway_service(net, tmp_path)
        layers.port_filters(net)
        yield net


def test_all_layers_together(whole: Network) -> None:
    assert not TALLY.count(harness.Prober(whole), LEFT_OUT)


def test_without_the_barrier_the_gateway_is_a_router(whole: Network) -> None:
    whole.nft("submit", "delete table ip flock_routing\n")
    whole.ip("submit", "rule del pref 2516\n")
    leaks = {verdict.attempt.what for verdict in harness.Prober(whole).run(only=["router"]) if verdict.result == LEAK}
    assert f"datagram from {topology.INTERNET} to {topology.STORAGE}" in leaks


def test_a_node_that_became_a_router(whole: Network) -> None:
    """Docker, or somebody, turned forwarding on."""
    for node in topology.NODE_MACS:
        whole.sysctl(node, {"ipv4/ip_forward": 1, f"ipv4/conf/{VLAN}/forwarding": 1})
    assert not TALLY.count(harness.Prober(whole), LEFT_OUT)


def test_nothing_passes_a_gateway_whose_rules_were_flushed(whole: Network) -> None:
    """Policy routing keeps what would go through; tc keeps what would go to the gateway itself (tests/site/test_4_faults.py)."""
    whole.nft("submit", "flush ruleset\n")
    verdicts = harness.Prober(whole).run()
    leaks = [verdict for verdict in verdicts if verdict.result == LEAK and verdict.attempt.probe not in OWN]
    leaks = [verdict for verdict in leaks if "submit:" not in verdict.why and topology.GATEWAY not in verdict.attempt.what]
    assert not [harness.words(verdict) for verdict in leaks]
    assert [verdict for verdict in verdicts if verdict.attempt.probe == "allowed" and verdict.result == FAILED], (
        "it was not flushed"
    )


def test_the_service_undoes_a_flush(whole: Network, tmp_path: Path) -> None:
    whole.nft("submit", "flush ruleset\n")
    layers.gateway_service(whole, tmp_path)
    assert not TALLY.count(harness.Prober(whole), LEFT_OUT)
