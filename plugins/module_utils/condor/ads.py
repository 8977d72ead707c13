# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ads of a pool as typed values. Pure: what comes in is plain data, whichever way it was asked for.

Only the listed attributes are ever asked for: full ads of a big pool are hundreds of megabytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

SLOT_ATTRIBUTES = (
    "Name",
    "Machine",
    "MyType",
    "MyAddress",
    "MyCurrentTime",
    "LastHeardFrom",
    "State",
    "Activity",
    "PartitionableSlot",
    "DynamicSlot",
    "NumDynamicSlots",
    "Cpus",
    "Draining",
    "DrainReason",
    "DrainingRequestId",
    "FlockNode",
    "FlockHost",
    "FlockOpenUntil",
)
FLOCKING_SLOTS = 'regexp("^slot1(_[1-9][0-9]{0,2})?@[^@]+$", Name ?: "")'
"""The slots of a flocking startd: one that is partitionable, and what is cut from it. A container may advertise any others."""
MASTER_ATTRIBUTES = ("Name", "Machine", "MyType", "MyAddress", "LastHeardFrom", "STARTD_StartTime", "FlockNode", "FlockHost")


MOST = 250_000_000_000
"""of any number that is read: as a time it lies before the year 9999, after which there are no dates"""


def integer(value: Any) -> int:
    """A number of an ad as a whole one; 0 for what is none or below, and at the most ``MOST``: an ad may say anything."""
    kind = type(value)
    if kind is int or kind is float:
        # Not below: that is how what is no number (NaN) compares too.
        return int(min(value, MOST)) if value > 0 else 0
    return 0


def text(value: Any) -> str:
    """A text of an ad; empty for what is none."""
    return value if type(value) is str else ""


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def texts_of(names: Iterable[str]) -> str:
    """A list of texts as a constraint has it, sorted."""
    return "{" + ", ".join(json.dumps(name) for name in sorted(names)) + "}"


def short(host: str) -> str:
    """A host's name without its domain."""
    return host.split(".", 1)[0]


class SlotAd(NamedTuple):
    """One slot's ad. Times are epoch seconds; 0 is "not said". A big pool has tens of thousands: this is made fast."""

    name: str
    machine: str
    address: str
    published: int
    """when the startd made the ad, by the startd's clock"""
    heard: int
    """when the collector got it, by the collector's clock"""
    state: str
    activity: str
    partitionable: bool
    dynamic: bool
    dynamic_slots: int
    cpus: int
    draining: bool
    drain_reason: str
    flock_node: bool | None
    flock_host: str
    open_until: int

    @property
    def startd(self) -> str:
        """The startd's name: what follows the slot's."""
        return self.name.split("@", 1)[-1]

    @classmethod
    def parse(cls, ad: Mapping[str, Any]) -> SlotAd:
        """From an ad's attributes; whatever is missing or undefined is the empty value."""
        get = ad.get
        reason, state = text(get("DrainReason")), text(get("State"))
        return cls(
            name=text(get("Name")),
            machine=text(get("Machine")),
            address=text(get("MyAddress")),
            published=integer(get("MyCurrentTime")),
            heard=integer(get("LastHeardFrom")),
            state=state,
            activity=text(get("Activity")),
            partitionable=get("PartitionableSlot") is True,
            dynamic=get("DynamicSlot") is True,
            dynamic_slots=integer(get("NumDynamicSlots")),
            cpus=integer(get("Cpus")),
            draining=get("Draining") is True or bool(reason) or state == "Drained",
            drain_reason=reason,
            flock_node=_truth(get("FlockNode")),
            flock_host=text(get("FlockHost")),
            open_until=integer(get("FlockOpenUntil")),
        )


@dataclass(frozen=True)
class MasterAd:
    """One master's ad."""

    name: str
    machine: str
    address: str
    heard: int
    has_startd: bool
    """whether the master is to run a startd: one that is off still has its start time here"""
    says_off: bool
    """whether it says that the startd does not run: the start time is 0 then (seen in 23.9.6 and 25.14.1)"""
    flock_node: bool | None
    flock_host: str

    @classmethod
    def parse(cls, ad: Mapping[str, Any]) -> MasterAd:
        """From an ad's attributes."""
        start = ad.get("STARTD_StartTime")
        return cls(
            name=text(ad.get("Name")),
            machine=text(ad.get("Machine")),
            address=text(ad.get("MyAddress")),
            heard=integer(ad.get("LastHeardFrom")),
            has_startd="STARTD_StartTime" in ad,
            says_off=type(start) is int and start == 0,
            flock_node=_truth(ad.get("FlockNode")),
            flock_host=text(ad.get("FlockHost")),
        )


@dataclass(frozen=True)
class CollectorAnswer:
    """What one collector said at one moment."""

    collector: str
    """its address; empty for the one of HTCondor's own configuration"""
    taken: int
    started: int
    """when the collector started, 0 when it does not say"""
    slots: tuple[SlotAd, ...]
    masters: tuple[MasterAd, ...]
    only_flock: bool = False
    """whether this is a collector for flocking startds alone"""
