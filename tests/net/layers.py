# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layers of protection, one by one, as the roles put them in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import rules, topology
from .service import GatewayService
from .topology import VLAN, Network

MARK, EITHER = 0x5F01D, 0xFFFFFFFE


def gateway_rules(net: Network, behind: bool = False, **settings: Any) -> None:
    """Load the gateway's table."""
    net.nft("submit", rules.both(behind, **settings))


def port_filters(net: Network) -> None:
    """Load the port filter of every node."""
    for node in topology.NODE_MACS:
        net.nft(node, rules.port(node))


def neighbours(net: Network) -> None:
    """Give the gateway permanent neighbours."""
    nodes = rules.plan()["nodes"].values()
    net.ip("submit", "".join(f"neigh replace {n['address']} lladdr {n['mac']} nud permanent dev {VLAN}\n" for n in nodes))


def marked_only(net: Network) -> None:
    """Route only what has passed the table: its mark opens the way, though not to a denied router."""
    net.ip(
        "submit",
        f"rule add pref 2510 iif lo to {topology.SUBNET} lookup main\n"
        f"rule add pref 2511 fwmark {MARK}/{EITHER:#x} to {topology.SUBNET} lookup main\n"
        f"rule add pref 2512 to {topology.SUBNET} blackhole\n"
        f"rule add pref 2513 fwmark {MARK} iif {VLAN} to {topology.INNER} blackhole\n"
        f"rule add pref 2514 fwmark {MARK}/{EITHER:#x} iif {VLAN} lookup main\n"
        f"rule add pref 2515 iif {VLAN} blackhole\n",
    )
    net.sysctl("submit", {"ipv4/conf/wan/src_valid_mark": 1})


def switches(net: Network) -> None:
    """Set the sysctls of role vlan."""
    for host in ("submit", *topology.NODE_MACS):
        for family, settings in rules.vlan_switches(host).items():
            net.sysctl(host, {f"{family}/conf/{VLAN}/{key}": int(value) for key, value in settings.items()})


def gateway_service(net: Network, directory: Path) -> None:
    """Run the gateway's service once, as its unit does."""
    service = GatewayService(net.path("submit"), directory)
    service.describe()
    service("load")
