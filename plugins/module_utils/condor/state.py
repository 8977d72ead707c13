# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a startd's ads mean. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from .ads import MasterAd, SlotAd, Snapshot, short


class State(str, Enum):
    """What a startd is seen to be."""

    ON = "on"
    """jobs may start"""
    DRAINING = "draining"
    """no job starts; some still run, or it has not been seen yet that none does"""
    DRAINED = "drained"
    """no job starts and none runs"""
    OFF = "off"
    """its master is there and the startd is not"""
    UNKNOWN = "unknown"
    """the ads do not say"""


@dataclass(frozen=True)
class Policy:
    """How old an answer may be, in seconds."""

    stale: int = 900
    """an ad that was heard longer ago says nothing (HTCondor's CLASSAD_LIFETIME)"""
    settle: int = 400
    """a collector younger than this may not have heard everybody yet (HTCondor's UPDATE_INTERVAL is 300)"""


@dataclass(frozen=True)
class Startd:
    """One startd as it is seen."""

    name: str
    """its host's name without the domain"""
    machine: str
    startd: str
    """the name it goes by in HTCondor"""
    flocking: bool
    flock_host: str
    """of a flocking startd: the name of the regular one beside it"""
    state: State
    why: str = ""
    """why the state is unknown"""
    busy: int = 0
    """slots that are claimed"""
    open_until: int = 0
    """of a flocking startd: when its lease ends, epoch seconds; 0 without one"""
    drained_by_htcondor: bool = False
    """whether HTCondor's own drain is on, as opposed to a lease that is not running"""
    drain_reason: str = ""
    clock_offset: int = 0
    """its clock when it made its ad, less the collector's when it heard that; an ad may be made UPDATE_INTERVAL before"""
    address: str = ""
    master: str = ""
    """its master's address, where its master's ad was asked for"""
    collector: str = ""


def _is_busy(slot: SlotAd) -> bool:
    # A dynamic slot is there only while it is claimed or being cleaned up after a claim.
    return slot.dynamic or slot.state in ("Claimed", "Matched", "Preempting")


def is_left_over(slot: SlotAd, since: int) -> bool:
    """Whether a dynamic slot's ad may be from before the startd's last end, after which the collector keeps it for a while.

    ``since``: when the oldest ad of the lasting slots was made. Ads that are newer say how many dynamic slots there are.
    """
    return slot.dynamic and slot.published < since


def lasting_since(base: Iterable[SlotAd]) -> int:
    """When the oldest ad of the static and partitionable slots was made, by the startd's clock; 0 without any."""
    return min([slot.published for slot in base], default=0)


def _from_slots(snapshot: Snapshot, slots: Sequence[SlotAd], master: str, policy: Policy) -> Startd:
    # The static and partitionable slots decide: an orphaned dynamic slot's ad may linger after the others.
    base = [slot for slot in slots if not slot.dynamic] or list(slots)
    first = base[0]
    since = lasting_since(base)
    # One loop, and not a sum or any for each question: a big pool asks them of tens of thousands of slots.
    names = {first.startd}
    flocking, draining, heard, claimed, reason = False, False, 0, 0, ""
    for slot in slots:
        flocking = flocking or slot.flock_node is True
        draining = draining or slot.draining
        heard = max(heard, slot.heard)
        claimed += _is_busy(slot) and not is_left_over(slot, since)
        reason = reason or slot.drain_reason
        if slot is not first:
            names.add(slot.startd)
    busy = max(claimed, sum([slot.dynamic_slots for slot in base]))
    open_until = first.open_until if flocking else 0
    state, why = State.ON, ""
    if len(names) > 1:
        state, why = State.UNKNOWN, f"several startds call themselves {first.machine}: {', '.join(sorted(names))}"
    elif snapshot.taken - heard > policy.stale:
        state, why = State.UNKNOWN, f"its last ad is {snapshot.taken - heard} s old"
    elif draining:
        empty = not busy and all(slot.state == "Drained" for slot in base)
        state = State.DRAINED if empty else State.DRAINING
    elif flocking and open_until <= snapshot.taken:
        # An ad from before the lease's end cannot say what started in its last seconds.
        seen = open_until == 0 or min(slot.published for slot in base) > open_until
        state = State.DRAINED if not busy and seen else State.DRAINING
    return Startd(
        name=short(first.machine),
        machine=first.machine,
        startd=first.startd,
        flocking=flocking,
        flock_host=first.flock_host,
        state=state,
        why=why,
        busy=busy,
        open_until=open_until,
        drained_by_htcondor=draining,
        drain_reason=reason,
        clock_offset=first.published - first.heard if first.published and first.heard else 0,
        address=first.address,
        master=master,
        collector=snapshot.collector,
    )


def _from_master(snapshot: Snapshot, master: MasterAd, policy: Policy) -> Startd:
    state, why = State.OFF, ""
    if snapshot.taken - master.heard > policy.stale:
        state, why = State.UNKNOWN, f"no startd's ad, and its master's last ad is {snapshot.taken - master.heard} s old"
    elif not snapshot.started:
        state, why = State.UNKNOWN, "no startd's ad, and the collector does not say since when it listens"
    elif snapshot.taken - snapshot.started < policy.settle:
        age = snapshot.taken - snapshot.started
        state = State.UNKNOWN
        why = f"no startd's ad, but the collector listens only since {age} s (settled after {policy.settle} s)"
    return Startd(
        name=short(master.machine),
        machine=master.machine,
        startd=master.name,
        flocking=snapshot.only_flock or master.flock_node is True,
        flock_host=master.flock_host,
        state=state,
        why=why,
        address=master.address,
        master=master.address,
        collector=snapshot.collector,
    )


def describe(snapshots: Iterable[Snapshot], policy: Policy) -> dict[str, Startd]:
    """Every startd of a pool by its host's name (two hosts of one name in two domains: by their full names)."""
    found: dict[str, Startd] = {}
    for snapshot in snapshots:
        machines: dict[str, list[SlotAd]] = defaultdict(list)
        for slot in snapshot.slots:
            machines[slot.machine].append(slot)
        masters = {master.machine: master.address for master in snapshot.masters}
        startds = [_from_slots(snapshot, slots, masters.get(machine, ""), policy) for machine, slots in machines.items()]
        startds += [
            _from_master(snapshot, master, policy)
            for master in snapshot.masters
            if master.has_startd and master.machine not in machines
        ]
        for startd in startds:
            # A flocking startd's own collector knows better than a copy of its ad elsewhere.
            if startd.machine not in found or snapshot.only_flock:
                found[startd.machine] = startd
    names: dict[str, list[str]] = defaultdict(list)
    for machine, startd in found.items():
        names[startd.name].append(machine)
    return {
        (startd.name if len(names[startd.name]) == 1 else machine): startd
        for machine, startd in sorted(found.items(), key=lambda item: item[0])
    }
