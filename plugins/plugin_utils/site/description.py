# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The typed, checked form of the dict ``flock``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

from . import address_fields, fields
from .container import ContainerOptions, make_container
from .errors import DescriptionError, Mistakes
from .netaddr_library import IPAddress, IPNetwork

PROTOCOLS = ("tcp", "udp")

_REQUIRED = (
    "vlan_id",
    "parent",
    "subnet",
    "gateway",
    "wan_interface",
    "private_networks",
    "dns_servers",
    "domain",
    "central_manager",
)
_DEFAULTS: Mapping[str, Any] = {
    "gateway_mac": None,
    "interface": None,
    "mtu": 1500,
    "public_networks": (),
    "regular_prefix": "p",
    "flock_prefix": "f",
    "address_offset": 0,
    "addresses": {},
    "egress_allow": (),
    "container": {},
    "flock_in": (),
    "flock_out": (),
    "lease_seconds": 900,
}


@dataclass(frozen=True)
class Destination:
    """A destination that the flock may reach although it lies in a denied network."""

    network: IPNetwork
    protocol: str
    port: int


@dataclass(frozen=True)
class CentralManager:
    """Where the site's collector is, seen from outside and from the flocking VLAN."""

    host: str
    wan_address: IPAddress
    flock_address: IPAddress
    port: int


@dataclass(frozen=True)
class PoolIn:
    """A pool whose jobs may come in, and the addresses of its access points."""

    name: str
    access_points: tuple[IPAddress, ...]


@dataclass(frozen=True)
class PoolOut:
    """A pool that local jobs may go to; the token is a file on the access point."""

    name: str
    central_manager: str
    token_file: str


@dataclass(frozen=True)
class Description:
    """The site's description. Times in seconds, sizes in MiB, the MTU in bytes."""

    vlan_id: int
    parent: str
    subnet: IPNetwork
    gateway: IPAddress
    gateway_mac: str | None
    interface: str | None
    wan_interface: str
    mtu: int
    private_networks: tuple[IPNetwork, ...]
    public_networks: tuple[IPNetwork, ...]
    dns_servers: tuple[IPAddress, ...]
    domain: str
    regular_prefix: str
    flock_prefix: str
    address_offset: int
    addresses: Mapping[str, IPAddress]
    egress_allow: tuple[Destination, ...]
    central_manager: CentralManager
    container: ContainerOptions
    flock_in: tuple[PoolIn, ...]
    flock_out: tuple[PoolOut, ...]
    lease_seconds: int


def describe(raw: Any) -> Description:
    """Check the dict ``flock`` and return its typed form.

    Raises:
        DescriptionError: with one sentence for each mistake that names the variable, its value and what is expected.
    """
    mistakes = Mistakes()
    given = fields.open_mapping("flock", raw, (*_REQUIRED, *_DEFAULTS), _REQUIRED, mistakes)
    value: dict[str, Any] = {**dict.fromkeys(_REQUIRED), **_DEFAULTS, **{k: v for k, v in given.items() if v is not None}}
    found = {key: mistakes.of(check, f"flock.{key}", value[key]) for key, check in _CHECKS.items()}
    vlan_id, subnet = found["vlan_id"], found["subnet"]
    found["parent"] = mistakes.of(
        fields.parent_interface, "flock.parent", value["parent"], vlan_id or 4094, value["interface"] or ""
    )
    found["gateway"] = mistakes.of(address_fields.address, "flock.gateway", value["gateway"])
    mistakes.of(_check_gateway, value["gateway"], found["gateway"], subnet)
    found["egress_allow"] = mistakes.of(_egress_allow, value["egress_allow"], subnet)
    found["central_manager"] = mistakes.of(_central_manager, value["central_manager"], found["gateway"])
    mistakes.of(_check_prefixes, found["regular_prefix"], found["flock_prefix"])
    for variable in ("private_networks", "public_networks"):
        mistakes.of(_check_overlaps, f"flock.{variable}", found[variable], subnet)
    mistakes.of(_check_wan_address, found["central_manager"], subnet)
    mistakes.end()
    return Description(**found)


def _check_gateway(raw: Any, gateway: IPAddress, subnet: IPNetwork) -> None:
    if subnet.prefixlen > 30:
        raise DescriptionError("flock.subnet", str(subnet), "a network of at least four addresses (/30 or shorter)")
    if gateway not in subnet or gateway in (subnet.network, subnet.broadcast):
        raise DescriptionError("flock.gateway", raw, f"the address of a host in flock.subnet {subnet}")


def _whole(low: int, high: int) -> Callable[[str, Any], int]:
    return lambda variable, value: fields.integer(variable, value, low, high)


def _networks(variable: str, raw: Any) -> tuple[IPNetwork, ...]:
    return fields.each(variable, raw, address_fields.network)


def _dns_servers(variable: str, raw: Any) -> tuple[IPAddress, ...]:
    servers: tuple[IPAddress, ...] = fields.each(variable, raw, address_fields.address)
    if not servers:
        # Without a server of its own the container would ask the node's resolver, in the node's network.
        raise DescriptionError(variable, raw, "at least one address of a DNS server")
    return servers


def _addresses(variable: str, raw: Any) -> dict[str, IPAddress]:
    if not isinstance(raw, Mapping):
        raise DescriptionError(variable, raw, "a dict from host name to address")
    mistakes = Mistakes()
    found = {str(node): mistakes.catch(address_fields.address, f"{variable}.{node}", item) for node, item in raw.items()}
    mistakes.end()
    return found


def _egress_allow(raw: Any, subnet: IPNetwork) -> tuple[Destination, ...]:
    keys = ("address", "protocol", "port")

    def destination(variable: str, item: Any) -> Destination:
        mistakes = Mistakes()
        entry = fields.open_mapping(variable, item, keys, keys, mistakes)
        text = entry.get("address")
        if isinstance(text, str) and "/" not in text:
            text = f"{text}/32"
        net = mistakes.of(address_fields.network, f"{variable}.address", text)
        if net and net.first <= subnet.last and subnet.first <= net.last:
            mistakes.found.append(
                str(DescriptionError(f"{variable}.address", entry["address"], f"a destination outside flock.subnet {subnet}"))
            )
        protocol = mistakes.of(fields.choice, f"{variable}.protocol", entry.get("protocol"), PROTOCOLS)
        port = mistakes.of(fields.integer, f"{variable}.port", entry.get("port"), 1, 65535)
        mistakes.end()
        return Destination(net, protocol, port)

    # nftables refuses a set whose elements overlap.
    distinct = list(dict.fromkeys(fields.each("flock.egress_allow", raw, destination)))
    return tuple(item for item in distinct if not any(_covers(other, item) for other in distinct if other != item))


def _covers(other: Destination, item: Destination) -> bool:
    """Return whether another destination has all of this one in it."""
    same = (other.protocol, other.port) == (item.protocol, item.port)
    return same and bool(other.network.first <= item.network.first and item.network.last <= other.network.last)


def _central_manager(raw: Any, gateway: IPAddress) -> CentralManager:
    known = ("host", "wan_address", "flock_address", "port")
    variable = "flock.central_manager"
    mistakes = Mistakes()
    entry = fields.open_mapping(variable, raw, known, ("host", "wan_address"), mistakes)
    inside = entry.get("flock_address")
    manager = CentralManager(
        host=mistakes.of(fields.inventory_name, f"{variable}.host", entry.get("host")),
        wan_address=mistakes.of(address_fields.address, f"{variable}.wan_address", entry.get("wan_address")),
        flock_address=gateway if inside is None else mistakes.of(address_fields.address, f"{variable}.flock_address", inside),
        port=mistakes.catch(fields.integer, f"{variable}.port", entry.get("port", 9618), 1, 65535),
    )
    mistakes.end()
    return manager


def _flock_in(variable: str, raw: Any) -> tuple[PoolIn, ...]:
    keys, names = ("name", "access_points"), set()

    def pool(variable: str, item: Any) -> PoolIn:
        mistakes = Mistakes()
        entry = fields.open_mapping(variable, item, keys, keys, mistakes)
        name = mistakes.of(fields.name, f"{variable}.name", entry.get("name"))
        points = mistakes.of(fields.each, f"{variable}.access_points", entry.get("access_points"), address_fields.address)
        mistakes.end()
        if not points:
            raise DescriptionError(f"{variable}.access_points", [], "at least one address of an access point")
        if name in names:
            raise DescriptionError(f"{variable}.name", name, "a name that no other pool in flock.flock_in has")
        names.add(name)
        return PoolIn(name, points)

    return fields.each(variable, raw, pool)


def _flock_out(variable: str, raw: Any) -> tuple[PoolOut, ...]:
    keys = ("name", "central_manager", "token_file")

    def pool(variable: str, item: Any) -> PoolOut:
        mistakes = Mistakes()
        entry = fields.open_mapping(variable, item, keys, keys, mistakes)
        found = PoolOut(
            name=mistakes.of(fields.name, f"{variable}.name", entry.get("name")),
            central_manager=mistakes.of(fields.domain, f"{variable}.central_manager", entry.get("central_manager")),
            token_file=mistakes.of(fields.path, f"{variable}.token_file", entry.get("token_file")),
        )
        mistakes.end()
        return found

    return fields.each(variable, raw, pool)


def _check_prefixes(regular: str, flock: str) -> None:
    if regular == flock:
        raise DescriptionError(
            "flock.flock_prefix", flock, "a prefix other than flock.regular_prefix, so that the two startds differ"
        )


def _check_overlaps(variable: str, networks: tuple[IPNetwork, ...], subnet: IPNetwork) -> None:
    for net in networks:
        if net.first <= subnet.last and subnet.first <= net.last:
            raise DescriptionError("flock.subnet", str(subnet), f"a network that does not overlap {net} of {variable}")


def _check_wan_address(manager: CentralManager, subnet: IPNetwork) -> None:
    if manager.wan_address in subnet:
        raise DescriptionError(
            "flock.central_manager.wan_address",
            str(manager.wan_address),
            f"an address outside flock.subnet {subnet}: other pools reach the central manager from the WAN",
        )


#: Keys that are checked by themselves; the others look at each other.
_CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "vlan_id": _whole(1, 4094),
    "subnet": address_fields.network,
    "gateway_mac": fields.mac,
    "interface": fields.interface,
    "wan_interface": fields.interface,
    "mtu": _whole(576, 9216),
    "private_networks": _networks,
    "public_networks": _networks,
    "dns_servers": _dns_servers,
    "domain": fields.domain,
    "regular_prefix": fields.prefix,
    "flock_prefix": fields.prefix,
    "address_offset": _whole(-(2**31), 2**31),
    "addresses": _addresses,
    "container": make_container,
    "flock_in": _flock_in,
    "flock_out": _flock_out,
    "lease_seconds": _whole(60, 86400),
}
