# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the gateway lets containers reach what the site's description gives them to use."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_DNS = 53


def problems(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield what containers are told to use and cannot reach."""
    own = plan["gateway"]["address"]
    for server in plan["dns_servers"]:
        if server == own:
            yield f"flock.dns_servers has {server}, the gateway, where containers reach HTCondor alone: expected another server"
        elif not _is_reached(plan, server, "udp", _DNS):
            yield _refused("flock.dns_servers has", server, "udp", _DNS)
    manager = plan["central_manager"]
    if manager["flock_address"] != own and not _is_reached(plan, manager["flock_address"], "tcp", manager["port"]):
        yield _refused("flock.central_manager.flock_address is", manager["flock_address"], "tcp", manager["port"])


def _refused(variable: str, address: str, protocol: str, port: int) -> str:
    wanted = f"{{address: {address}, protocol: {protocol}, port: {port}}}"
    return (
        f"{variable} {address}, which is in a network that containers may not reach: expected flock.egress_allow to have {wanted}"
    )


def _is_reached(plan: Mapping[str, Any], address: str, protocol: str, port: int) -> bool:
    allowed = [item["address"] for item in plan["egress_allow"] if (item["protocol"], item["port"]) == (protocol, port)]
    return _has(allowed, address) or not _has(plan["denied"], address)


def _has(networks: Sequence[str], address: str) -> bool:
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in networks)


def wan_sources(sources: Sequence[str]) -> Iterator[str]:
    """Yield which of the addresses that may reach HTCondor's port on the WAN the gateway's rules could not hold."""
    for source in sources:
        try:
            ipaddress.IPv4Network(source)
        except ValueError:
            yield f"gateway_wan_sources has {source!r}: expected an IPv4 address or network (at boot there is no DNS yet)"
