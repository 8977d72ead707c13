# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which address each node's flocking container has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .errors import DescriptionError, Mistakes
from .netaddr_library import IPAddress, IPNetwork

_TRAILING_NUMBER = re.compile(r"(\d+)$")


def mac_of(address: IPAddress) -> str:
    """Return 02:42 and the address in hex: locally administered, unique in the subnet (Docker's own scheme)."""
    return "02:42:" + ":".join(f"{octet:02x}" for octet in address.words)


def flock_name(node: str, regular_prefix: str, flock_prefix: str) -> str:
    """Return the flocking startd's name: p220 gives f220. The domain part of an inventory name is left out.

    Raises:
        DescriptionError: the node's name does not begin with the prefix.
    """
    short = node.split(".", 1)[0]
    if not short.startswith(regular_prefix):
        raise DescriptionError(
            "flock.regular_prefix", regular_prefix, f"the prefix of every host in group flock_nodes, and {node} has another"
        )
    return flock_prefix + short[len(regular_prefix) :]


def container_addresses(
    nodes: Iterable[str],
    subnet: IPNetwork,
    gateway: IPAddress,
    explicit: Mapping[str, IPAddress],
    offset: int,
) -> dict[str, IPAddress]:
    """Return the container's address for each node.

    An explicit address is taken as it is. Otherwise the host part is the trailing number of the host name plus
    the offset: it depends on nothing but the node itself, so it stays when other nodes come and go.

    Raises:
        DescriptionError: an address is missing, outside the usable part of the subnet, the gateway's, or used twice.
    """
    taken: dict[IPAddress, str] = {}
    mistakes = Mistakes()
    for node in nodes:
        address = mistakes.catch(_address_of, node, subnet, gateway, explicit.get(node), offset)
        if address is None:
            continue
        if address in taken:
            expected = f"an address of its own, and {taken[address]} has this one"
            mistakes.found.append(str(DescriptionError(f"flock.addresses.{node}", str(address), expected)))
        taken.setdefault(address, node)
    mistakes.end()
    return {node: address for address, node in taken.items()}


def _address_of(node: str, subnet: IPNetwork, gateway: IPAddress, explicit: IPAddress | None, offset: int) -> IPAddress:
    variable = f"flock.addresses.{node}"
    address = _derived(variable, node, subnet, offset) if explicit is None else explicit
    if address not in subnet or address in (subnet.network, subnet.broadcast):
        raise DescriptionError(variable, str(address), f"an address for a host in {subnet}")
    if address == gateway:
        raise DescriptionError(variable, str(address), "an address other than the gateway's (flock.gateway)")
    return address


def _derived(variable: str, node: str, subnet: IPNetwork, offset: int) -> IPAddress:
    number = _TRAILING_NUMBER.search(node.split(".", 1)[0])
    if number is None:
        raise DescriptionError(variable, None, f"an address in {subnet}: {node} ends in no number to derive it from")
    host_part = int(number.group(1)) + offset
    if not 0 < host_part < subnet.size - 1:
        raise DescriptionError(
            variable,
            None,
            f"an explicit address in {subnet}, or a flock.address_offset that fits: the number of {node} with offset"
            f" {offset} gives host part {host_part}, and the subnet has 1 to {subnet.size - 2}",
        )
    return IPAddress(subnet.first + host_part, version=4)
