"""The lab's hosts, networks and addresses, as data."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field

VLAN_ID = 2512
PRIVATE_NAMESERVER = "10.27.1.10"
PUBLIC_NAMESERVER = "203.0.113.53"
SITE_DOMAIN = "sips"
PORT_BASE = int(os.environ.get("SHEEPFOLD_LAB_PORT_BASE", "2200"))
"""SSH of host number N is forwarded from 127.0.0.1:(PORT_BASE + N)."""


@dataclass(frozen=True)
class Nic:
    """One network card of a guest; the guest names it by its MAC address."""

    name: str
    network: str
    addresses: tuple[str, ...]
    gateway: str = ""
    tagged: bool = False


@dataclass(frozen=True)
class Host:
    """One host. Without a kernel of its own it is in namespaces of this machine where that works (lab/namespace.py)."""

    name: str
    number: int
    memory_mib: int
    nics: tuple[Nic, ...]
    files: tuple[str, ...]
    units: tuple[str, ...]
    users: dict[str, int] = field(default_factory=dict)
    domain: str = SITE_DOMAIN
    nameserver: str = PRIVATE_NAMESERVER
    pool_slots: int = 0
    own_kernel: bool = True

    @property
    def ssh_port(self) -> int:
        """TCP port on 127.0.0.1 that leads to this guest's sshd."""
        return PORT_BASE + self.number

    def mac(self, index: int) -> str:
        """The MAC address of the card with this index."""
        return f"52:54:00:1b:{index:02x}:{self.number:02x}"

    @property
    def cards(self) -> tuple[Nic, ...]:
        """All cards, the management card first."""
        return (MANAGEMENT, *self.nics)


MANAGEMENT = Nic("mgmt", "user", ("192.168.76.15/24",))


def _em1(address: str, *, tagged: bool) -> Nic:
    return Nic("em1", "lan", (address,), tagged=tagged)


_NODE = {
    "memory_mib": 1280,
    "files": ("site", "node"),
    "units": ("condor.service", "docker.service", "nftables.service", "lab-site-container.service"),
    "users": {"alice": 1001},
    "pool_slots": 1,
}

HOSTS: tuple[Host, ...] = (
    Host(
        "storage",
        4,
        384,
        (_em1("10.27.1.10/24", tagged=False),),
        ("site", "storage"),
        ("lab-dns.service", "lab-listen.service", "nftables.service"),
        own_kernel=False,
    ),
    Host(
        "submit",
        1,
        1024,
        (
            _em1("10.27.1.1/24", tagged=True),
            Nic("wan", "wan", ("203.0.113.1/24",), gateway="203.0.113.9"),
        ),
        ("site", "submit"),
        ("condor.service", "nftables.service"),
        {"alice": 1001},
    ),
    Host("p220", 2, nics=(_em1("10.27.1.220/24", tagged=True),), **_NODE),  # type: ignore[arg-type]
    Host("p221", 3, nics=(_em1("10.27.1.221/24", tagged=True),), **_NODE),  # type: ignore[arg-type]
    Host(
        "remote",
        5,
        768,
        (Nic("wan", "wan", ("203.0.113.9/24", "203.0.113.53/24", "203.0.113.80/24")),),
        ("remote",),
        ("condor.service", "lab-dns.service", "lab-listen.service"),
        {"bob": 1002},
        domain="remote.example",
        nameserver=PUBLIC_NAMESERVER,
        pool_slots=1,
        own_kernel=False,
    ),
)
"""In the order in which they are booted."""

BY_NAME = {host.name: host for host in HOSTS}

NETWORKS = ("lan", "wan")


def names_known_to(host: Host) -> list[tuple[str, str]]:
    """Address and names of every host that this one has in its /etc/hosts."""
    if host.domain != SITE_DOMAIN:
        return [("203.0.113.9", "remote.remote.example remote"), ("203.0.113.1", "submit")]
    known = [("203.0.113.9", "remote")]
    for other in HOSTS:
        if other.domain == SITE_DOMAIN:
            address = other.nics[0].addresses[0].split("/")[0]
            known.append((address, f"{other.name}.{SITE_DOMAIN} {other.name}"))
    return sorted(known)


def fingerprint() -> str:
    """A hash of everything in this file that a guest's state depends on."""
    return hashlib.sha256(repr((HOSTS, VLAN_ID, NETWORKS)).encode()).hexdigest()
