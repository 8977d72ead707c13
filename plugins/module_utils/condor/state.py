# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a startd's ads mean. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from .ads import CollectorAnswer, MasterAd, SlotAd, short


class State(str, Enum):
    """What a startd is seen to be."""

    ON = "on"
    """jobs may start"""
    DRAINING = "draining"
    """no job starts; some still run, or it has not been seen yet that none does"""
    DRAINED = "drained"
    """no job starts and none runs"""
    OFF = "off"
    """its master is there and the startd's ad is not; that it runs nothing is certain only where its master says so"""
    UNKNOWN = "unknown"
    """the ads do not say"""


@dataclass(frozen=True)
class AdFreshness:
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
    """why the state is unknown, or an off not certain"""
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
    said_off: bool = False
    """of one that is off: whether its own master says so, and not merely an ad is missing"""
    blind: str = ""
    """of a regular one beside which there is a flocking one: why nothing follows from not seeing that; empty when it is gone"""

    @property
    def closed(self) -> bool:
        """Whether no job starts and none runs."""
        return self.state is State.DRAINED or (self.state is State.OFF and self.said_off)


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


def _from_slots(snapshot: CollectorAnswer, slots: Sequence[SlotAd], master: str, policy: AdFreshness) -> Startd:
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


def _young(snapshot: CollectorAnswer, policy: AdFreshness) -> str:
    """Why a collector may not have heard everybody; empty when it has."""
    if not snapshot.started:
        return "the collector does not say since when it listens"
    age = snapshot.taken - snapshot.started
    return "" if age >= policy.settle else f"the collector listens only since {age} s (settled after {policy.settle} s)"


def _from_masters(snapshot: CollectorAnswer, masters: Sequence[MasterAd], policy: AdFreshness) -> Startd:
    """A startd that has no ad, from the ads of its host's masters that are to run one."""
    newest = max(masters, key=lambda master: master.heard)
    young = _young(snapshot, policy)
    said_off = all(master.says_off for master in masters)
    state, why = State.OFF, "" if said_off else "its ad is not there, but its master has not said yet that it does not run"
    if snapshot.taken - newest.heard > policy.stale:
        state, why = State.UNKNOWN, f"no startd's ad, and its master's last ad is {snapshot.taken - newest.heard} s old"
    elif young:
        state, why = State.UNKNOWN, f"no startd's ad, but {young}"
    return Startd(
        name=short(newest.machine),
        machine=newest.machine,
        startd=newest.name,
        flocking=snapshot.only_flock or newest.flock_node is True,
        flock_host=newest.flock_host,
        state=state,
        why=why,
        address=newest.address,
        master=newest.address,
        collector=snapshot.collector,
        said_off=state is State.OFF and said_off,
    )


def _paired(snapshot: CollectorAnswer) -> set[str]:
    """Machines whose ads say that there is to be a flocking startd beside theirs."""
    return {ad.machine for ads in (snapshot.slots, snapshot.masters) for ad in ads if ad.flock_node is False}


def describe(snapshots: Iterable[CollectorAnswer], policy: AdFreshness) -> dict[str, Startd]:
    """Every startd of a pool by its host's name (two hosts of one name in two domains: by their full names)."""
    found: dict[str, Startd] = {}
    snapshots = list(snapshots)
    # Those of flocking startds have a collector of their own, or are in the only one.
    blind = _young(snapshots[-1], policy) if snapshots else ""
    for snapshot in snapshots:
        machines: dict[str, list[SlotAd]] = defaultdict(list)
        for slot in snapshot.slots:
            machines[slot.machine].append(slot)
        masters = {master.machine: master.address for master in snapshot.masters}
        startds = [_from_slots(snapshot, slots, masters.get(machine, ""), policy) for machine, slots in machines.items()]
        silent: dict[str, list[MasterAd]] = defaultdict(list)
        for master in snapshot.masters:
            if master.has_startd and master.machine not in machines:
                silent[master.machine].append(master)
        startds += [_from_masters(snapshot, each, policy) for each in silent.values()]
        paired = _paired(snapshot) if blind else ()
        for startd in (replace(each, blind=blind) if each.machine in paired else each for each in startds):
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
