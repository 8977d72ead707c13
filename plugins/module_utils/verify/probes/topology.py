# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the probes have to know of a site: who is where, with which addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Member:
    """A container on the VLAN and the node below it.

    Attributes:
        place: the container's place; node: its node's.
        interface: the container's; vlan: the node's subinterface.
        address, mac: the container's.
        planned: it is in the site's plan, so that the gateway knows its MAC.
        node_address: the node's private address. node_mac: of its subinterface; unknown where empty.
    """

    place: str
    node: str
    address: str
    mac: str
    interface: str = "eth0"
    vlan: str = ""
    node_address: str = ""
    node_mac: str = ""
    planned: bool = True


@dataclass(frozen=True)
class Gateway:
    """The gateway: place, interfaces, the address and MAC on the VLAN, all its other addresses."""

    place: str
    address: str
    mac: str
    vlan: str
    wan: str
    wan_address: str
    parent: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Host:
    """A host outside the flock: its place (empty: nobody watches there), address, and ports that listen."""

    place: str
    address: str
    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()
    mac_towards: str = ""  # the gateway's MAC as this host sees it


@dataclass(frozen=True)
class Topology:
    """A site, as seen from one flocking container.

    Attributes:
        source: the container that sends.
        siblings: the others, on this and on other nodes.
        gateway: the gateway.
        manager: the central manager as containers reach it.
        private: hosts that must not be reached.
        metadata: addresses of cloud metadata services.
        internet: hosts that must be reached (address, TCP ports that listen, UDP ports that answer).
        resolvers: DNS servers of the flock; other_resolver: another one.
        listed, unlisted: addresses on the WAN from which the pool's port is open, and is not.
        subnet, broadcast: of the flock.
        domain: in which a name is asked for.
    """

    source: Member
    gateway: Gateway
    manager: Host
    subnet: str
    broadcast: str
    siblings: tuple[Member, ...] = ()
    private: tuple[Host, ...] = ()
    metadata: tuple[Host, ...] = ()
    internet: tuple[Host, ...] = ()
    resolvers: tuple[str, ...] = ()
    other_resolver: str = ""
    listed: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    domain: str = "example.org"
    ping_gateway: bool = True
    extra: dict[str, Any] = field(default_factory=dict)
