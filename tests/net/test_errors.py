# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ICMP errors about open flows."""

from __future__ import annotations

from . import errors
from .topology import Network


def test_a_container_reports_errors_about_its_own_flows_only(network: Network) -> None:
    assert errors.about(network) == set(errors.OWN)


def test_a_container_hears_of_routers_outside_and_of_a_packet_that_is_too_long(network: Network) -> None:
    assert errors.heard(network) == {error.name for error in errors.HEARD}
