# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter at a compute node's port on the flocking VLAN: load, close, check, guard, remove.

Two layers that say the same: the nftables table, and filters of tc, which stay when another hand flushes nftables.
Each alone lets nothing through but the container's exchange with the gateway.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIBRARY = os.environ.get("SHEEPFOLD_LIB", "/usr/local/lib/sheepfold")
sys.path.insert(0, LIBRARY)

from flock_interface import Interface
from flock_net import Layer, Table, TrafficFilter
from flock_service import Service, in_force, main, read_settings

CONFIGURATION = Path(os.environ.get("SHEEPFOLD_PORT", "/etc/sheepfold/macvlan/port.json"))


class PortFilters(TrafficFilter):
    """The same as the table, in tc's words."""

    def __init__(self, port: Mapping[str, Any]) -> None:
        super().__init__(port["interface"])
        self.port = port

    def filters(self) -> Sequence[str]:
        """Return what is let through, by direction, and then the rest, which is dropped."""
        gateway, gateway_mac = self.port["gateway"], self.port["gateway_mac"]
        address, mac = self.port["address"], self.port["mac"]
        inward = f"ingress pref 100 handle 1 protocol ip flower src_mac {gateway_mac} dst_mac {mac} dst_ip {address}"
        asked = f"ingress pref 110 handle 1 protocol arp flower src_mac {gateway_mac} arp_sip {gateway} arp_tip {address}"
        broken = "egress pref 90 handle 1 protocol ip flower ip_flags frag action drop"
        outward = f"egress pref 100 handle 1 protocol ip flower src_mac {mac} dst_mac {gateway_mac} src_ip {address}"
        asking = f"egress pref 110 handle 1 protocol arp flower src_mac {mac} arp_sha {mac} arp_sip {address} arp_tip {gateway}"
        return [
            f"{inward} action pass",
            f"{asked} action pass",
            "ingress pref 120 handle 1 protocol all flower action drop",
            broken,
            f"{outward} action pass",
            f"{asking} action pass",
            "egress pref 120 handle 1 protocol all flower action drop",
        ]


class Port(Service):
    """The port filter's service."""

    def __init__(self, port: Mapping[str, Any], settings: Path) -> None:
        table = Table("netdev", "flock_port", Path(port["rules"]))
        layers: list[Layer] = [Interface(), *([PortFilters(port)] if port["tc"] else []), table]
        super().__init__("port", port["interface"], table, layers, [settings])

    def anew(self) -> Port:
        """Return the service as its files describe it now."""
        return make(CONFIGURATION)


def make(settings: Path) -> Port:
    """Return the service that the settings describe."""
    return Port(in_force(settings, read_settings(settings), "rules"), settings)


if __name__ == "__main__":
    sys.exit(main(make, CONFIGURATION, sys.argv[1:]))
