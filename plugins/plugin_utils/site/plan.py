# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: what the roles read, made of the description and the inventory's groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .addresses import container_addresses, flock_name, mac_of
from .description import Description, describe
from .errors import DescriptionError, Mistakes
from .host_view import seen_from
from .networks import denied

GATEWAY_GROUP = "flock_gateway"
MANAGER_GROUP = "flock_central_manager"
NODES_GROUP = "flock_nodes"


def make_site(raw: Any, groups: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the plan without what differs from host to host.

    Args:
        raw: the dict ``flock``.
        groups: Ansible's ``groups``.

    Raises:
        DescriptionError: the description, or the inventory seen in its light, is not usable.
    """
    description = describe(raw)
    mistakes = Mistakes()
    _check_groups(description, groups, mistakes)
    nodes = mistakes.of(_nodes, description, sorted(groups.get(NODES_GROUP, ())))
    mistakes.end()
    return {
        "vlan_id": description.vlan_id,
        "subnet": str(description.subnet),
        "prefix_length": description.subnet.prefixlen,
        "netmask": str(description.subnet.netmask),
        "mtu": description.mtu,
        "parent": description.parent,
        "interface": description.interface or "",
        "network": f"macvlan{description.vlan_id}",
        "gateway": {
            "address": str(description.gateway),
            "mac": description.gateway_mac or mac_of(description.gateway),
            "wan_interface": description.wan_interface,
        },
        "denied": [str(net) for net in denied((*description.private_networks, *description.public_networks))],
        "egress_allow": [
            {"address": str(item.network), "protocol": item.protocol, "port": item.port} for item in description.egress_allow
        ],
        "dns_servers": [str(server) for server in description.dns_servers],
        "domain": description.domain,
        "central_manager": {
            "host": description.central_manager.host,
            "wan_address": str(description.central_manager.wan_address),
            "flock_address": str(description.central_manager.flock_address),
            "port": description.central_manager.port,
        },
        "container": dict(vars(description.container)),
        "flock_in": [
            {"name": pool.name, "access_points": [str(point) for point in pool.access_points]} for pool in description.flock_in
        ],
        "flock_out": [dict(vars(pool)) for pool in description.flock_out],
        "lease_seconds": description.lease_seconds,
        "nodes": nodes,
    }


def make_plan(raw: Any, host: str, groups: Mapping[str, Sequence[str]], parent: str = "") -> dict[str, Any]:
    """Return the plan as seen from one host: make_site and seen_from in one."""
    return seen_from(make_site(raw, groups), host, parent)


def missing_groups(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what playbooks would pass over in silence: a group that nobody is in."""
    wanted = {
        NODES_GROUP: "at least one host: the compute nodes that are lent",
        "flock_access_point": "at least one host: the site's access points",
    }
    return [str(DescriptionError(f"group {name}", [], expected)) for name, expected in wanted.items() if not groups.get(name)]


def _check_groups(description: Description, groups: Mapping[str, Sequence[str]], mistakes: Mistakes) -> None:
    gateways, managers, nodes = (groups.get(name, ()) for name in (GATEWAY_GROUP, MANAGER_GROUP, NODES_GROUP))
    errors = []
    if len(gateways) != 1:
        errors.append(
            DescriptionError(f"group {GATEWAY_GROUP}", list(gateways), "exactly one host: the gateway of the flocking VLAN")
        )
    both = sorted(set(gateways) & set(nodes))
    if both:
        errors.append(
            DescriptionError(f"group {NODES_GROUP}", both[0], f"a compute node that is not in group {GATEWAY_GROUP} too")
        )
    manager = description.central_manager.host
    if manager not in managers:
        errors.append(DescriptionError("flock.central_manager.host", manager, f"a host of group {MANAGER_GROUP}"))
    known = set(nodes)
    errors += [
        DescriptionError(f"flock.addresses.{node}", str(address), f"an entry for a host of group {NODES_GROUP}")
        for node, address in description.addresses.items()
        if node not in known
    ]
    mistakes.found += map(str, errors)


def _nodes(description: Description, names: Sequence[str]) -> dict[str, dict[str, str]]:
    addresses = container_addresses(
        names, description.subnet, description.gateway, description.addresses, description.address_offset
    )
    nodes: dict[str, dict[str, str]] = {}
    owner: dict[str, str] = {}
    mistakes = Mistakes()
    for node in names:
        flock = mistakes.catch(flock_name, node, description.regular_prefix, description.flock_prefix)
        if flock in owner:
            expected = f"a short host name of its own, and {owner[flock]} has the same"
            mistakes.found.append(str(DescriptionError(f"group {NODES_GROUP}", node, expected)))
        owner[flock] = node
        nodes[node] = {
            "regular": node.split(".", 1)[0],
            "flock": flock,
            "hostname": f"{flock}.{description.domain}",
            "address": str(addresses[node]),
            "mac": mac_of(addresses[node]),
        }
    mistakes.end()
    return nodes
