# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan as one host sees it. Every host of a site asks, each in a process of its own: so this imports no netaddr, which
takes ten times as long to load as all that is done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from . import fields
from .container import of_a_host
from .errors import DescriptionError, Mistakes


def seen_from(site: Mapping[str, Any], host: str, parent: str = "", container: Any = None) -> dict[str, Any]:
    """Return the plan as seen from one host. The cost does not depend on how many nodes there are.

    Args:
        site: what make_site returned. It is shared by all hosts and not changed.
        host: inventory name of the host that asks.
        parent: this host's own parent interface, where it differs from ``flock.parent``.
        container: what this host's container may use, where it differs from ``flock.container``.

    Raises:
        DescriptionError: the parent is no interface's name, or the container's dict has a wrong key or value.
    """
    uses = of_a_host(f"flock_container of {host}", container) if container else {}
    name = site["interface"]
    own = fields.parent_interface(f"flock_parent of {host}", parent, site["vlan_id"], name) if parent else site["parent"]
    interface = name or f"{own}.{site['vlan_id']}"
    nodes = site["nodes"]
    if host in nodes:
        nodes = {**nodes, host: {**nodes[host], "parent": own, "interface": interface}}
    return {**site, "parent": own, "interface": interface, "nodes": nodes, "container": {**site["container"], **uses}}


def host_problems(
    site: Mapping[str, Any], host: str, is_gateway: bool, parent: str, addresses: Iterable[str], *, container: Any = None
) -> list[str]:
    """Return what is wrong with one host in the light of the plan. The cost does not depend on how many nodes there are.

    No host has an address of its own in the flocking subnet, the gateway's own excepted.
    """
    mistakes = Mistakes()
    mistakes.catch(seen_from, {**site, "nodes": {}}, host, parent)
    mistakes.catch(seen_from, {**site, "nodes": {}}, host, "", container)
    subnet, own = IPv4Network(site["subnet"]), site["gateway"]["address"]
    mistakes.found += [
        str(DescriptionError("flock.subnet", str(subnet), f"a network without hosts in it, and {host} has address {address}"))
        for address in addresses
        if IPv4Address(address) in subnet and not (is_gateway and address == own)
    ]
    return mistakes.found
