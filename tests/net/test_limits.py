# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One container cannot use up the gateway."""

from __future__ import annotations

import pytest

from . import layers
from .limits import LIMITS, Limit, problem
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
    for limit in [limit for limit in LIMITS if limit.low < limit.high]:
        assert limit.measure(network) > limit.high, limit.name
