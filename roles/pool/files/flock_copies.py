# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flock-mirror copies of an ad. Pure.

An ad comes from a container and is hostile. A copy is made anew of the values that are listed here: numbers, truth values and
short ASCII texts, never an expression. Its name and its address are those of the site's plan.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

TEXT_CHARACTERS = 512
#: HTCondor computes with reals: it cannot tell whole numbers beyond this apart.
MOST = 2**53


class Node(NamedTuple):
    """A container, as the site has planned it."""

    hostname: str
    regular: str
    address: str


class Plan(NamedTuple):
    """Whose ads there may be: the containers by host name, and how many jobs each runs."""

    nodes: Mapping[str, Node]
    slots: int


Check = Callable[[Any], bool]


def _text(pattern: str) -> Check:
    # Neither quote nor backslash nor control character: no text can end its line or itself.
    allowed = re.compile(pattern)
    return lambda value: type(value) is str and len(value) <= TEXT_CHARACTERS and bool(allowed.fullmatch(value))


def _whole(value: Any) -> bool:
    return type(value) is int and -MOST <= value <= MOST


def _number(value: Any) -> bool:
    return _whole(value) or (type(value) is float and math.isfinite(value) and abs(value) <= MOST)


def _truth(value: Any) -> bool:
    return type(value) is bool


_WORD = _text(r"[A-Za-z0-9_.-]+")
_PHRASE = _text(r"[A-Za-z0-9$:._/+~ -]+")
_OWNER = _text(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
_SLOT = re.compile(r"slot1(_(?P<number>[1-9][0-9]{0,4}))?@(?P<host>[^@]+)")
_ADDRESS = re.compile(
    r"<(?P<host>[0-9.]+):[0-9]+\?(CCBID=[A-Za-z0-9.:%_+-]+#[0-9]+&PrivNet=[A-Za-z0-9.-]+&)?addrs=(?P<same>[0-9.]+)-[0-9]+"
    r"(&alias=[A-Za-z0-9.-]+)?(&noUDP)?(&sock=[A-Za-z0-9_]+)?>"
)


def _of(check: Check, names: str) -> dict[str, Check]:
    return dict.fromkeys(names.split(), check)


COMMON = {
    **_of(_WORD, "Arch OpSys OpSysAndVer OpSysName OpSysShortName Microarch"),
    **_of(_PHRASE, "CondorVersion CondorPlatform"),
    **_of(_whole, "MyCurrentTime DaemonStartTime DaemonLastReconfigTime OpSysMajorVer OpSysVer DetectedMemory"),
    **_of(_number, "DetectedCpus"),
}
SLOT = {
    **COMMON,
    **_of(_WORD, "State Activity SlotType"),
    **_of(_PHRASE, "DrainReason DrainingRequestId"),
    **_of(_OWNER, "RemoteOwner RemoteUser"),
    **_of(
        _whole,
        "SlotID DSlotID SlotTypeID NumDynamicSlots EnteredCurrentState EnteredCurrentActivity JobStart FlockOpenUntil TotalSlots",
    ),
    **_of(
        _number,
        "Cpus Memory Disk GPUs TotalCpus TotalMemory TotalDisk TotalSlotCpus TotalSlotMemory TotalSlotDisk"
        " LoadAvg CondorLoadAvg TotalLoadAvg TotalCondorLoadAvg",
    ),
    **_of(_truth, "PartitionableSlot DynamicSlot Draining AcceptedWhileDraining"),
}
MASTER = {**COMMON, **_of(_whole, "STARTD_StartTime")}


class Kind(NamedTuple):
    """A kind of ad: how condor_status and condor_advertise call it, and what is copied of it."""

    options: tuple[str, ...]
    update: str
    invalidate: str
    types: tuple[str, ...]
    """what it says that it is; an invalidation names the first"""
    address: str
    """the second attribute that has its address"""
    attributes: Mapping[str, Check]
    host_of: Callable[[str, int], str]
    """from a name and the number of slots to the host's name, empty where there is no such ad"""


def _host_of_slot(name: str, slots: int) -> str:
    found = _SLOT.fullmatch(name)
    return found["host"] if found and int(found["number"] or 0) <= slots else ""


def _host_of_master(name: str, _slots: int) -> str:
    return name


KINDS = {
    "slot": Kind((), "UPDATE_STARTD_AD", "INVALIDATE_STARTD_ADS", ("Machine", "Slot"), "StartdIpAddr", SLOT, _host_of_slot),
    "master": Kind(
        ("-master",),
        "UPDATE_MASTER_AD",
        "INVALIDATE_MASTER_ADS",
        ("DaemonMaster",),
        "MasterIpAddr",
        MASTER,
        _host_of_master,
    ),
}
#: Without these there is no copy.
IDENTITY = ("Name", "Machine", "MyAddress", "MyType")


def plan_of(path: Path, slots: str) -> Plan:
    """Read whose ads there may be."""
    rows = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line and not line.startswith("#")]
    return Plan({row[0]: Node(*row) for row in rows}, int(slots))


def literal(value: Any) -> str:
    """A value as HTCondor writes it."""
    # json's spelling of numbers, and of a text without quotes, backslashes and control characters, is HTCondor's too.
    return json.dumps(value)


def _is_at(address: Any, node: Node) -> bool:
    found = _ADDRESS.fullmatch(address) if type(address) is str and len(address) <= TEXT_CHARACTERS else None
    return found is not None and found["host"] == found["same"] == node.address


def copy_of(kind: Kind, ad: Any, plan: Plan) -> tuple[str, str] | None:
    """The name of an ad and the lines of its copy; None for an ad that is not one of a container of the plan's."""
    if not isinstance(ad, dict):
        return None
    given = {name.lower(): value for name, value in ad.items()}
    name, machine, address, what = (given.get(attribute.lower()) for attribute in IDENTITY)
    node = plan.nodes.get(kind.host_of(name, plan.slots)) if isinstance(name, str) else None
    if node is None or machine != node.hostname or not _is_at(address, node) or what not in kind.types:
        return None
    if not _whole(given.get("flockopenuntil", 0)) and given["flockopenuntil"] is not None:
        # Without its lease the copy would be that of a container which is closed.
        return None
    values = {**dict(zip(IDENTITY, (name, machine, address, what))), kind.address: address}
    values |= {"FlockNode": True, "FlockHost": node.regular, "FlockMirrored": True}
    for attribute, is_plain in kind.attributes.items():
        value = given.get(attribute.lower())
        if is_plain(value):
            values[attribute] = value
    return str(name), "".join(f"{attribute} = {literal(value)}\n" for attribute, value in values.items())
