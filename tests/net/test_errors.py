# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ICMP errors about open flows."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import errors, layers, topology
from .topology import Network


def test_a_container_reports_errors_about_its_own_flows_only(network: Network) -> None:
    assert errors.about(network) == set(errors.OWN)


@pytest.mark.parametrize("rp_filter", [0, 1, 2])
def test_a_container_hears_of_routers_outside_and_of_a_packet_that_is_too_long(network: Network, rp_filter: int) -> None:
    assert errors.heard(network, rp_filter) == {error.name for error in errors.HEARD}


def test_with_all_layers_too(tmp_path: Path) -> None:
    """Where routing leads to no denied network."""
    with topology.network() as net:
        layers.switches(net)
        layers.gateway_service(net, tmp_path)
        for rp_filter in (0, 1, 2):
            assert errors.heard(net, rp_filter) == {error.name for error in errors.HEARD}
