# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""See a pool as the shepherd needs it: node pairs, local access points and what waits there.

Three queries of each collector, one of the site's for access points, and two for each access point that has idle jobs; each has
a deadline. Whatever does not answer is unknown: a collector ends the cycle, an access point freezes it, a queue that cannot be
read counts with all the idle jobs that its access point's ad names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...condor.adapter import CollectorSlots, Pool
from ...condor.errors import CondorError
from ...condor.queues import SCHEDD_ATTRIBUTES, IdleGroup, Queues, QueuesByTools, Schedd
from ...condor.state import Startd, State, describe
from ..config.scope import Scope
from ..model import AccessPoint, Collector, IdleJobs, Pair, PoolSnapshot
from . import slots
from .collector_start import CollectorStart, starts
from .slots import Slot

REGULAR_SLOTS = "FlockNode =?= false && DynamicSlot =!= true && BackfillSlot =!= true"
"""the slots of regular sides that a waiting job may be compared with: each as if it were empty"""


@dataclass(frozen=True)
class Observation:
    """A snapshot, and what there is to say about it."""

    snapshot: PoolSnapshot
    notes: tuple[str, ...] = ()
    """what could not be found out, a sentence each"""
    cores: Mapping[str, int] = field(default_factory=dict)
    """of every pair's regular side the last that is known"""
    collectors: Mapping[str, CollectorStart] = field(default_factory=dict)
    """when each was started, by its address"""


@dataclass(frozen=True)
class Known:
    """What is known from before."""

    cores: Mapping[str, int] = field(default_factory=dict)
    """of pairs; those that are not seen now are in the snapshot as well, with neither side"""
    collectors: Mapping[str, CollectorStart] = field(default_factory=dict)
    """when each was started, by its address"""


def _slots_of(looks: Sequence[CollectorSlots]) -> dict[tuple[str, str], list[Slot]]:
    """All slots by their startd's collector and machine."""
    found: dict[tuple[str, str], list[Slot]] = defaultdict(list)
    for look in looks:
        for known, ad in zip(look.snapshot.slots, look.slots):
            found[look.snapshot.collector, known.machine].append(Slot(known, ad))
    return found


def _masters_heard(looks: Sequence[CollectorSlots]) -> dict[tuple[str, str], int]:
    return {(look.snapshot.collector, master.machine): master.heard for look in looks for master in look.snapshot.masters}


@dataclass
class _Sides:
    """The startds of a pool, sorted into pairs."""

    regular: dict[str, Startd] = field(default_factory=dict)
    flocking: dict[str, list[Startd]] = field(default_factory=lambda: defaultdict(list))
    stray: list[str] = field(default_factory=list)


def _sort(everyone: Mapping[str, Startd], by_startd: Mapping[tuple[str, str], list[Slot]], known: Mapping[str, int]) -> _Sides:
    sides = _Sides()
    # Names of hosts are the same in capitals: the pair bears its regular side's, and if there is none what it was known by.
    of = {key.lower(): key for key in known}
    of.update({key.lower(): key for key, startd in everyone.items() if not startd.flocking})
    for startd in everyone.values():
        if not startd.flocking:
            continue
        if startd.flock_host:
            sides.flocking[of.get(startd.flock_host.lower(), startd.flock_host)].append(startd)
        else:
            sides.stray.append(f"{startd.name} does not say beside which regular startd it runs (FlockHost is not in its ad)")
    before = {key.lower() for key in known}
    for key, startd in everyone.items():
        if startd.flocking:
            continue
        # FlockNode = False is in the ad of a regular startd beside which there is to be a flocking one (role pool). A node
        # whose startd is off has no such ad: it is known by the other side, or from before.
        marked = any(slot.known.flock_node is False for slot in by_startd.get((startd.collector, startd.machine), ()))
        if marked or key in sides.flocking or key.lower() in before:
            sides.regular[key] = startd
    return sides


def _one(startds: Sequence[Startd]) -> Startd | None:
    if len(startds) < 2:
        return startds[0] if startds else None
    names = ", ".join(sorted(startd.machine for startd in startds))
    why = f"several flocking startds say that they run beside {startds[0].flock_host}: {names}"
    return replace(startds[0], state=State.UNKNOWN, why=why)


def pair_up(looks: Sequence[CollectorSlots], pool: Pool, known: Mapping[str, int]) -> tuple[tuple[Pair, ...], list[str]]:
    """The pairs of a pool and what is wrong with some. ``known``: cores of the pairs' regular sides, as last seen."""
    everyone = describe([look.snapshot for look in looks], pool.policy)
    by_startd, masters = _slots_of(looks), _masters_heard(looks)
    sides = _sort(everyone, by_startd, known)

    def ads_of(startd: Startd | None) -> list[Slot]:
        return by_startd.get((startd.collector, startd.machine), []) if startd else []

    def heard(startd: Startd | None, ads: Sequence[Slot], lasting: Sequence[Slot]) -> int:
        if startd is None:
            return 0
        return slots.heard(lasting) if ads else masters.get((startd.collector, startd.machine), 0)

    pairs = []
    seen = {name.lower() for name in (*sides.regular, *sides.flocking)}
    for name in sorted({*sides.regular, *sides.flocking, *(each for each in known if each.lower() not in seen)}):
        regular, flocking = sides.regular.get(name), _one(sides.flocking.get(name, []))
        all_here, there = ads_of(regular), ads_of(flocking)
        here = slots.base(all_here)
        pairs.append(
            Pair(
                name=name,
                regular=regular,
                flocking=flocking,
                regular_heard=heard(regular, all_here, here),
                flocking_heard=heard(flocking, there, slots.base(there)),
                cores=slots.cores(here) or known.get(name, 0),
                free=slots.free(here),
                jobs=slots.jobs(there),
                verification=slots.verification(here),
            )
        )
    return tuple(pairs), sides.stray


def _access_points(pool: Pool, collector: str, scope: Scope) -> list[Schedd]:
    """The local access points. Raises CondorError."""
    found = [Schedd.parse(ad) for ad in pool.transport.query(collector, "Schedd", SCHEDD_ATTRIBUTES)]
    if scope.access_points:
        by_name = {schedd.name: schedd for schedd in found}
        return [by_name.get(name, Schedd(name, "", 0, 0, "")) for name in scope.access_points]
    return [schedd for schedd in found if schedd.identity.rpartition("@")[2] not in scope.foreign_domains or not schedd.identity]


def _idle(schedd: Schedd, collector: str, queues: Queues, before: int, notes: list[str]) -> list[tuple[Schedd, IdleGroup]]:
    """The idle jobs of one access point; by its ad alone where its queue does not answer."""
    if not schedd.address:
        return []
    try:
        groups = queues.groups(schedd, collector, before)
    except CondorError as error:
        if not schedd.idle_jobs:
            return []
        notes.append(
            f"the queue of {schedd.name} cannot be read, its idle jobs count as one core each that could run anywhere: {error}"
        )
        groups = [IdleGroup(schedd.idle_jobs, 1)]
    return [(schedd, group) for group in groups]


@dataclass(frozen=True)
class Waiting:
    """What waits at the local access points."""

    access_points: tuple[Schedd, ...]
    idle: tuple[tuple[Schedd, IdleGroup], ...]
    notes: tuple[str, ...]
    """what could not be found out, a sentence each"""


def waiting(
    pool: Pool,
    queues: Queues,
    scope: Scope,
    *,
    collector: str,
    taken: int,
    patience: int,
    slots: str = REGULAR_SLOTS,
) -> Callable[[], Waiting]:
    """The local access points, their idle jobs and which machines of ``slots`` (a constraint) could run them. Raises nothing.

    ``collector``: the site's, the one that the look was taken from. ``patience``: seconds after which it matters since when a
    job waits. Where the jobs could run takes a while in a big pool: what is returned waits for it, and nothing else must be asked
    of the pool before.
    """
    notes: list[str] = []
    try:
        schedds = _access_points(pool, collector, scope)
    except CondorError as error:
        notes.append(f"no access point could be asked for: {error}")
        schedds = [Schedd(name, "", 0, 0, "") for name in scope.access_points]
    found: list[tuple[Schedd, IdleGroup]] = []
    for schedd in schedds:
        found += _idle(schedd, collector, queues, taken - patience, notes)
    asked = [position for position, (_schedd, group) in enumerate(found) if group.ad]
    matched: Callable[[], list[IdleGroup]] = list
    unknown = "where the idle jobs could run is not known, they count as ones that could run anywhere"
    if isinstance(queues, QueuesByTools) and found:
        notes.append("HTCondor's Python bindings are not there: every idle job counts as one that could run on every node")
    try:
        matched = queues.matched([found[position][1] for position in asked], collector, slots)
    except CondorError as error:
        notes.append(f"{unknown}: {error}")

    def answer() -> Waiting:
        try:
            for position, group in zip(asked, matched()):
                found[position] = found[position][0], group
            widened = sum(group.widened for _schedd, group in found)
            if widened:
                notes.append(f"{widened} kinds of idle jobs are taken together: each counts wherever one of them could run")
        except CondorError as error:
            notes.append(f"{unknown}: {error}")
        return Waiting(tuple(schedds), tuple(found), tuple(notes))

    return answer


def _demand(queue: Waiting, machines: Mapping[str, str]) -> tuple[IdleJobs, ...]:
    """What waits, by pairs: one entry for all groups that ask for as much, could run on the same ones, and wait as long.

    ``machines``: pairs' names by their regular side's full name.
    """
    nodes: dict[frozenset[str] | None, frozenset[str] | None] = {None: None}
    alike: dict[tuple[str, int, frozenset[str] | None, bool], list[IdleGroup]] = {}
    for schedd, group in queue.idle:
        if group.machines not in nodes and group.machines is not None:
            nodes[group.machines] = frozenset(machines[machine] for machine in group.machines if machine in machines)
        alike.setdefault((schedd.name, group.cores, nodes[group.machines], bool(group.oldest)), []).append(group)
    return tuple(
        IdleJobs(sum(group.jobs for group in groups), cores, where, name, min(group.oldest for group in groups))
        for (name, cores, where, _stuck), groups in alike.items()
    )


def _since(look: CollectorSlots, collectors: Mapping[str, CollectorStart]) -> CollectorSlots:
    return replace(look, snapshot=replace(look.snapshot, started=collectors[look.snapshot.collector].since))


_COPIES_ASKED = 3
_COPIED_BY = 60
"""seconds after which the mirror has copied an ad, whatever it is set to"""


def _copied(pool: Pool, looks: Sequence[CollectorSlots], pairs: Sequence[Pair], taken: int, notes: list[str]) -> int | None:
    """When the newest copy of some flocking startds' ads was heard; None where there is none to be copied."""
    if len(looks) < 2:
        return None
    # Those that the flock's collector has known longest without hearing them again: they have been copied, if any has.
    ages = sorted((taken - pair.flocking_heard, pair.flocking.machine) for pair in pairs if pair.flocking and pair.flocking_heard)
    asked = [machine for age, machine in ages if _COPIED_BY <= age <= pool.policy.stale][-_COPIES_ASKED:]
    if not asked:
        return None
    try:
        return pool.newest_copy(looks[0].snapshot.collector, asked)
    except CondorError as error:
        notes.append(f"the copies of the flock's ads cannot be asked for: {error}")
        return None


def see(pool: Pool, queues: Queues, scope: Scope, *, patience: int = 600, known: Known | None = None) -> Observation:
    """What there is now. Raises CondorError when a collector does not answer.

    ``patience``: seconds after which it matters since when a job waits.
    """
    known = known or Known()
    looks = pool.look(slots.ATTRIBUTES, known.cores)
    # The last one: no ad of any answer was heard later.
    taken = max(look.snapshot.taken for look in looks)
    # What is known of one that is not asked now, since another one of the same pool is, is kept.
    told = {look.snapshot.collector: look.snapshot.started for look in looks}
    collectors = {**known.collectors, **starts(told, known.collectors, taken)}
    looks = [_since(look, collectors) for look in looks]
    site = looks[0].snapshot.collector
    queues_answer = waiting(pool, queues, scope, collector=site, taken=taken, patience=patience)
    pairs, told_of_pairs = pair_up(looks, pool, known.cores)
    notes = list(told_of_pairs)
    machines = {pair.regular.machine: pair.name for pair in pairs if pair.regular}
    queue = queues_answer()
    copied = _copied(pool, looks, pairs, taken, notes)
    snapshot = PoolSnapshot(
        taken=taken,
        pairs=pairs,
        collectors=tuple(Collector(look.snapshot.collector or "of the site", look.snapshot.started) for look in looks),
        access_points=tuple(AccessPoint(each.name, each.heard, each.idle_jobs) for each in queue.access_points),
        idle=_demand(queue, machines),
        copied=copied,
    )
    return Observation(snapshot, (*notes, *queue.notes), {pair.name: pair.cores for pair in pairs}, collectors)
