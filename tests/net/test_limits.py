# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One container cannot use up the gateway."""

from __future__ import annotations

import pytest

from . import layers
from .limits import LIMITS, Limit, logged, pings, problem
from .tally import TALLY
from .topology import Network


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name.replace(" ", "-"))
def test_limit(network: Network, limit: Limit) -> None:
    layers.gateway_rules(network, **limit.settings)
    try:
        found = problem(network, limit)
    finally:
        layers.gateway_rules(network)
    TALLY.probes += 1
    TALLY.leaks += bool(found)
    assert not found


def test_the_usual_values_let_work_through(network: Network) -> None:
    layers.gateway_rules(network)
    for limit in [limit for limit in LIMITS if limit.usual]:
        assert limit.measure(network) > limit.high, limit.name


def test_one_containers_noise_costs_the_others_nothing(network: Network) -> None:
    """Each has pings and log entries of its own."""
    layers.gateway_rules(network, gateway_log_per_second=20)
    try:
        assert pings(network) < 30 and pings(network, "f221") >= 20
        assert logged(network) < 40 and logged(network, "f221", 10) == 10
    finally:
        layers.gateway_rules(network)
