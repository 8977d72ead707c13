# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of this directory have in common, and their closing line."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

import pytest
from xdist.workermanage import WorkerController

from . import harness, layers, topology
from .listeners import listening
from .tally import TALLY, Tally
from .topology import Network

COUNTED = "sheepfold-net-tally"


def pytest_configure() -> None:
    """Say what is needed."""
    if os.geteuid() != 0:
        raise pytest.UsageError("tests/net make network namespaces: run them as root")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker of pytest-xdist: hand in what it counted."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[COUNTED] = dataclasses.asdict(TALLY)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Add what a worker counted; one that was killed has said nothing."""
    TALLY.add(Tally(**getattr(node, "workeroutput", {}).get(COUNTED, {})))


def pytest_unconfigure(config: pytest.Config) -> None:
    if TALLY.probes and not hasattr(config, "workerinput"):
        print("\n".join(["", *TALLY.table[:-1], "", str(TALLY)]))


@pytest.fixture(name="naive_network", scope="session")
def fixture_naive_network() -> Iterator[Network]:
    """Return a network that nothing protects."""
    with topology.network("bridge") as net, listening(harness.listeners(net)):
        topology.naive(net)
        yield net


@pytest.fixture(name="network", scope="session")
def fixture_network() -> Iterator[Network]:
    """Return a network with the two rulesets, where nothing else protects: the sysctls are the naive ones."""
    with topology.network() as net, listening(harness.listeners(net)):
        topology.naive(net)
        layers.neighbours(net)
        layers.marked_only(net)
        layers.gateway_rules(net)
        layers.port_filters(net)
        yield net


@pytest.fixture(name="behind_network", scope="session")
def fixture_behind_network() -> Iterator[Network]:
    """Return the same network, with the central manager behind the gateway."""
    with topology.network() as net, listening(harness.listeners(net)):
        topology.naive(net)
        layers.neighbours(net)
        layers.marked_only(net)
        layers.gateway_rules(net, behind=True)
        layers.port_filters(net)
        yield net
