# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The typed, checked form of the dict ``flock``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netaddr import IPAddress, IPNetwork

from . import fields
from .errors import DescriptionError

#: Flags that the image carries users for: flockslot1 to flockslot16 (role image).
MAX_SLOTS = 16
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
_CONTAINER_DEFAULTS: Mapping[str, Any] = {
    "cpus": 1,
    "memory_mb": 2048,
    "disk_mb": 10240,
    "shm_mb": 64,
    "slots": 1,
    "pids": 512,
    "runtime": "",
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
class Container:
    """What a flocking container may use of its node; sizes in MiB."""

    cpus: int
    memory_mb: int
    disk_mb: int
    shm_mb: int
    slots: int
    pids: int
    runtime: str


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
    container: Container
    flock_in: tuple[PoolIn, ...]
    flock_out: tuple[PoolOut, ...]
    lease_seconds: int


def describe(raw: Any) -> Description:
    """Check the dict ``flock`` and return its typed form.

    Raises:
        DescriptionError: with one sentence that names the variable, its value and what is expected.
    """
    given = fields.mapping("flock", raw, (*_REQUIRED, *_DEFAULTS), _REQUIRED)
    value = {**_DEFAULTS, **{key: item for key, item in given.items() if item is not None}}
    vlan_id = fields.integer("flock.vlan_id", value["vlan_id"], 1, 4094)
    subnet = fields.network("flock.subnet", value["subnet"])
    gateway = _gateway(value["gateway"], subnet)
    description = Description(
        vlan_id=vlan_id,
        parent=fields.interface("flock.parent", value["parent"], room=len(f".{vlan_id}")),
        subnet=subnet,
        gateway=gateway,
        gateway_mac=None if value["gateway_mac"] is None else fields.mac("flock.gateway_mac", value["gateway_mac"]),
        wan_interface=fields.interface("flock.wan_interface", value["wan_interface"]),
        mtu=fields.integer("flock.mtu", value["mtu"], 576, 9216),
        private_networks=_networks("flock.private_networks", value["private_networks"]),
        public_networks=_networks("flock.public_networks", value["public_networks"]),
        dns_servers=_dns_servers(value["dns_servers"]),
        domain=fields.domain("flock.domain", value["domain"]),
        regular_prefix=fields.name("flock.regular_prefix", value["regular_prefix"]),
        flock_prefix=fields.name("flock.flock_prefix", value["flock_prefix"]),
        address_offset=fields.integer("flock.address_offset", value["address_offset"], -(2**31), 2**31),
        addresses=_addresses(value["addresses"]),
        egress_allow=_egress_allow(value["egress_allow"], subnet),
        central_manager=_central_manager(value["central_manager"], gateway),
        container=_container(value["container"]),
        flock_in=_flock_in(value["flock_in"]),
        flock_out=_flock_out(value["flock_out"]),
        lease_seconds=fields.integer("flock.lease_seconds", value["lease_seconds"], 60, 86400),
    )
    _check_prefixes(description)
    _check_overlaps(description)
    return description


def _gateway(raw: Any, subnet: IPNetwork) -> IPAddress:
    gateway = fields.address("flock.gateway", raw)
    if subnet.prefixlen > 30:
        raise DescriptionError("flock.subnet", str(subnet), "a network of at least four addresses (/30 or shorter)")
    if gateway not in subnet or gateway in (subnet.network, subnet.broadcast):
        raise DescriptionError("flock.gateway", raw, f"the address of a host in flock.subnet {subnet}")
    return gateway


def _networks(variable: str, raw: Any) -> tuple[IPNetwork, ...]:
    return tuple(fields.network(f"{variable}[{i}]", item) for i, item in enumerate(fields.listing(variable, raw)))


def _dns_servers(raw: Any) -> tuple[IPAddress, ...]:
    servers = fields.listing("flock.dns_servers", raw)
    if not servers:
        # Without a server of its own the container would ask the node's resolver, in the node's network.
        raise DescriptionError("flock.dns_servers", raw, "at least one address of a DNS server")
    return tuple(fields.address(f"flock.dns_servers[{i}]", item) for i, item in enumerate(servers))


def _addresses(raw: Any) -> dict[str, IPAddress]:
    if not isinstance(raw, Mapping):
        raise DescriptionError("flock.addresses", raw, "a dict from host name to address")
    return {str(node): fields.address(f"flock.addresses.{node}", item) for node, item in raw.items()}


def _egress_allow(raw: Any, subnet: IPNetwork) -> tuple[Destination, ...]:
    result = []
    keys = ("address", "protocol", "port")
    for i, item in enumerate(fields.listing("flock.egress_allow", raw)):
        variable = f"flock.egress_allow[{i}]"
        entry = fields.mapping(variable, item, keys, keys)
        text = entry["address"]
        if isinstance(text, str) and "/" not in text:
            text = f"{text}/32"
        net = fields.network(f"{variable}.address", text)
        if net.first <= subnet.last and subnet.first <= net.last:
            raise DescriptionError(f"{variable}.address", entry["address"], f"a destination outside flock.subnet {subnet}")
        protocol = fields.choice(f"{variable}.protocol", entry["protocol"], PROTOCOLS)
        result.append(Destination(net, protocol, fields.integer(f"{variable}.port", entry["port"], 1, 65535)))
    return tuple(result)


def _central_manager(raw: Any, gateway: IPAddress) -> CentralManager:
    known = ("host", "wan_address", "flock_address", "port")
    variable = "flock.central_manager"
    entry = fields.mapping(variable, raw, known, ("host", "wan_address"))
    inside = entry.get("flock_address")
    return CentralManager(
        host=fields.domain(f"{variable}.host", entry["host"]),
        wan_address=fields.address(f"{variable}.wan_address", entry["wan_address"]),
        flock_address=gateway if inside is None else fields.address(f"{variable}.flock_address", inside),
        port=fields.integer(f"{variable}.port", entry.get("port", 9618), 1, 65535),
    )


def _container(raw: Any) -> Container:
    entry = {**_CONTAINER_DEFAULTS, **fields.mapping("flock.container", raw, _CONTAINER_DEFAULTS, ())}
    runtime = entry["runtime"]

    def number(key: str, low: int, high: int) -> int:
        return fields.integer(f"flock.container.{key}", entry[key], low, high)

    return Container(
        cpus=number("cpus", 1, 4096),
        memory_mb=number("memory_mb", 128, 2**24),
        disk_mb=number("disk_mb", 64, 2**31),
        shm_mb=number("shm_mb", 1, 2**24),
        slots=number("slots", 1, MAX_SLOTS),
        pids=number("pids", 64, 2**22),
        runtime="" if runtime == "" else fields.name("flock.container.runtime", runtime),
    )


def _flock_in(raw: Any) -> tuple[PoolIn, ...]:
    result: list[PoolIn] = []
    for i, item in enumerate(fields.listing("flock.flock_in", raw)):
        variable = f"flock.flock_in[{i}]"
        keys = ("name", "access_points")
        entry = fields.mapping(variable, item, keys, keys)
        points = fields.listing(f"{variable}.access_points", entry["access_points"])
        if not points:
            raise DescriptionError(f"{variable}.access_points", points, "at least one address of an access point")
        name = fields.name(f"{variable}.name", entry["name"])
        if name in (pool.name for pool in result):
            raise DescriptionError(f"{variable}.name", name, "a name that no other pool in flock.flock_in has")
        addresses = tuple(fields.address(f"{variable}.access_points[{j}]", point) for j, point in enumerate(points))
        result.append(PoolIn(name, addresses))
    return tuple(result)


def _flock_out(raw: Any) -> tuple[PoolOut, ...]:
    result = []
    for i, item in enumerate(fields.listing("flock.flock_out", raw)):
        variable = f"flock.flock_out[{i}]"
        keys = ("name", "central_manager", "token_file")
        entry = fields.mapping(variable, item, keys, keys)
        result.append(
            PoolOut(
                name=fields.name(f"{variable}.name", entry["name"]),
                central_manager=fields.domain(f"{variable}.central_manager", entry["central_manager"]),
                token_file=fields.path(f"{variable}.token_file", entry["token_file"]),
            )
        )
    return tuple(result)


def _check_prefixes(description: Description) -> None:
    if description.regular_prefix == description.flock_prefix:
        raise DescriptionError(
            "flock.flock_prefix",
            description.flock_prefix,
            "a prefix other than flock.regular_prefix, so that the two startds differ",
        )


def _check_overlaps(description: Description) -> None:
    subnet = description.subnet
    for variable, networks in (
        ("flock.private_networks", description.private_networks),
        ("flock.public_networks", description.public_networks),
    ):
        for net in networks:
            if net.first <= subnet.last and subnet.first <= net.last:
                raise DescriptionError("flock.subnet", str(subnet), f"a network that does not overlap {net} of {variable}")
    if description.central_manager.wan_address in subnet:
        raise DescriptionError(
            "flock.central_manager.wan_address",
            str(description.central_manager.wan_address),
            f"an address outside flock.subnet {subnet}: other pools reach the central manager from the WAN",
        )
