# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scene of a real site, from its plan, what its hosts say of themselves, and the targets that were named."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from .from_outside import Outsider
from .topology import Gateway, Host, Member, Topology

METADATA = ("169.254.169.254", "100.100.100.200")


def _on(look: Mapping[str, Any], interface: str) -> str:
    """Return a host's address on an interface, or its first address of all."""
    entries = [item for item in look["interfaces"] if item["address"]]
    there = [item["address"] for item in entries if item["interface"] == interface]
    return str((there or [item["address"] for item in entries] or [""])[0])


def _mac(look: Mapping[str, Any], interface: str) -> str:
    return next((str(item["mac"]) for item in look["interfaces"] if item["interface"] == interface), "")


def member(plan: Mapping[str, Any], node: str, look: Mapping[str, Any]) -> Member:
    """Return a node's container."""
    planned = plan["nodes"][node]
    vlan = str(look.get("vlan") or plan["interface"])
    return Member(
        place=planned["flock"],
        node=node,
        address=planned["address"],
        mac=planned["mac"],
        vlan=vlan,
        node_address=_on(look, vlan.rsplit(".", 1)[0]),
        node_mac=_mac(look, vlan),
    )


def _hosts(targets: Sequence[Mapping[str, Any]], kind: str, watched: set[str]) -> tuple[Host, ...]:
    return tuple(
        Host(
            place=str(target.get("host")) if target.get("host") in watched else "",
            address=target["address"],
            tcp=tuple(target.get("tcp") or ()),
            udp=tuple(target.get("udp") or ()),
        )
        for target in targets
        if target["kind"] == kind
    )


def scene(
    plan: Mapping[str, Any],
    node: str,
    gateway_host: str,
    looks: Mapping[str, Mapping[str, Any]],
    targets: Sequence[Mapping[str, Any]],
) -> Topology:
    """Return the site as a node's container sees it.

    Args:
        plan: the flock's plan.
        node: inventory name of the node.
        gateway_host: inventory name of the gateway.
        looks: what the hosts that are watched say of themselves.
        targets: hosts outside the flock: kind, address, and where known host, tcp, udp.
    """
    watched = set(looks)
    look = looks[gateway_host]
    vlan = str(look.get("vlan") or plan["interface"])
    wan = plan["gateway"]["wan_interface"]
    address = plan["gateway"]["address"]
    others = [item["address"] for item in look["interfaces"] if item["address"] and item["address"] != address]
    gateway = Gateway(
        place=gateway_host,
        address=address,
        mac=plan["gateway"]["mac"],
        vlan=vlan,
        wan=wan,
        wan_address=next((item["address"] for item in look["interfaces"] if item["interface"] == wan and item["address"]), ""),
        parent=vlan.rsplit(".", 1)[0],
        others=tuple(others),
    )
    manager_address = plan["central_manager"]["flock_address"]
    at_gateway = manager_address == address
    manager_host = gateway_host if at_gateway else plan["central_manager"]["host"]
    manager = Host(manager_host if manager_host in watched else "", manager_address, (plan["central_manager"]["port"],))
    network = ipaddress.IPv4Network(plan["subnet"])
    # A resolver that is one of a watched host's addresses is watched there.
    owners = {item["address"]: host for host, one in looks.items() for item in one["interfaces"] if item["address"]}
    internet = _hosts(targets, "internet", watched)
    known = {host.address for host in internet}
    internet += tuple(Host(owners[one], one) for one in plan["dns_servers"] if one in owners and one not in known)
    siblings = [member(plan, other, looks[other]) for other in plan["nodes"] if other in looks and other != node]
    return Topology(
        source=member(plan, node, looks[node]),
        gateway=gateway,
        manager=manager,
        subnet=plan["subnet"],
        broadcast=str(network.broadcast_address),
        siblings=tuple(siblings),
        private=_hosts(targets, "private", watched),
        metadata=tuple(Host("", one) for one in METADATA),
        internet=internet,
        resolvers=tuple(plan["dns_servers"]),
        other_resolver=next((one["address"] for one in targets if one["kind"] == "resolver"), ""),
        listed=tuple(one for pool in plan["flock_in"] for one in pool["access_points"]),
        unlisted=(),
        domain=plan["domain"],
    )


def outsider(
    host: str, target: Mapping[str, Any], look: Mapping[str, Any], gateway: Gateway, gateway_mac: str
) -> Outsider | None:
    """Return a target that can send by way of the gateway, or nothing where it does not know the gateway's MAC."""
    entry = next((item for item in look["interfaces"] if item["address"] == target["address"]), None)
    if entry is None or not gateway_mac:
        return None
    side = gateway.wan if target["kind"] == "internet" else gateway.parent
    return Outsider(host, entry["interface"], entry["address"], entry["mac"], gateway_mac, f"{gateway.place}:{side}")
