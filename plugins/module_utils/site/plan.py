# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: what the roles read, made of the description and the inventory's groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netaddr import IPAddress

from . import fields
from .addresses import container_addresses, flock_name, mac_of
from .description import Description, describe
from .errors import DescriptionError
from .networks import denied

GATEWAY_GROUP = "flock_gateway"
MANAGER_GROUP = "flock_central_manager"
NODES_GROUP = "flock_nodes"


def make_plan(raw: Any, host: str, groups: Mapping[str, Sequence[str]], parent: str = "") -> dict[str, Any]:
    """Return the plan as seen from one host.

    Args:
        raw: the dict ``flock``.
        host: inventory name of the host that asks.
        groups: Ansible's ``groups``.
        parent: this host's own parent interface, where it differs from ``flock.parent``.

    Raises:
        DescriptionError: the description, or the inventory seen in its light, is not usable.
    """
    description = describe(raw)
    _check_groups(description, groups)
    if parent:
        own_parent = fields.interface(f"flock_parent of {host}", parent, room=len(f".{description.vlan_id}"))
    else:
        own_parent = description.parent
    interface = f"{own_parent}.{description.vlan_id}"
    nodes = _nodes(description, sorted(groups.get(NODES_GROUP, ())))
    if host in nodes:
        nodes[host].update(parent=own_parent, interface=interface)
    return {
        "vlan_id": description.vlan_id,
        "subnet": str(description.subnet),
        "prefix_length": description.subnet.prefixlen,
        "netmask": str(description.subnet.netmask),
        "mtu": description.mtu,
        "parent": own_parent,
        "interface": interface,
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


def check_host_addresses(
    plan: Mapping[str, Any], addresses: Mapping[str, Iterable[str]], groups: Mapping[str, Sequence[str]]
) -> None:
    """Check that no host has an address of its own in the flocking subnet, the gateway's own excepted.

    Args:
        plan: what make_plan returned.
        addresses: the IPv4 addresses of each host.
        groups: Ansible's ``groups``.

    Raises:
        DescriptionError: a host has an address there.
    """
    subnet = fields.network("flock.subnet", plan["subnet"])
    gateway = plan["gateway"]["address"]
    for host in sorted(addresses):
        for address in addresses[host]:
            ours = address == gateway and host in groups.get(GATEWAY_GROUP, ())
            if IPAddress(address) in subnet and not ours:
                raise DescriptionError(
                    "flock.subnet", str(subnet), f"a network without hosts in it, and {host} has address {address}"
                )


def _check_groups(description: Description, groups: Mapping[str, Sequence[str]]) -> None:
    gateways = groups.get(GATEWAY_GROUP, ())
    if len(gateways) != 1:
        raise DescriptionError(f"group {GATEWAY_GROUP}", list(gateways), "exactly one host: the gateway of the flocking VLAN")
    both = sorted(set(gateways) & set(groups.get(NODES_GROUP, ())))
    if both:
        raise DescriptionError(f"group {NODES_GROUP}", both[0], f"a compute node that is not in group {GATEWAY_GROUP} too")
    manager = description.central_manager.host
    if manager not in groups.get(MANAGER_GROUP, ()):
        raise DescriptionError("flock.central_manager.host", manager, f"a host of group {MANAGER_GROUP}")
    for node in description.addresses:
        if node not in groups.get(NODES_GROUP, ()):
            raise DescriptionError(
                f"flock.addresses.{node}", str(description.addresses[node]), f"an entry for a host of group {NODES_GROUP}"
            )


def _nodes(description: Description, names: Sequence[str]) -> dict[str, dict[str, str]]:
    addresses = container_addresses(
        names, description.subnet, description.gateway, description.addresses, description.address_offset
    )
    nodes: dict[str, dict[str, str]] = {}
    owner: dict[str, str] = {}
    for node in names:
        flock = flock_name(node, description.regular_prefix, description.flock_prefix)
        if flock in owner:
            raise DescriptionError(f"group {NODES_GROUP}", node, f"a short host name of its own, and {owner[flock]} has the same")
        owner[flock] = node
        nodes[node] = {
            "regular": node.split(".", 1)[0],
            "flock": flock,
            "hostname": f"{flock}.{description.domain}",
            "address": str(addresses[node]),
            "mac": mac_of(addresses[node]),
        }
    return nodes
