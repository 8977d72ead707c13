# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A trace replayed through the shepherd's own decisions, on a simple pool. Pure.

The pool: nodes of one size; local jobs start at once where an open regular side has the cores, on the fullest such node, the
longest waiting size first; foreign demand has no end, in single-core jobs. Commands take effect at once and ads are never late:
what is found out is what the policy does, not what faults do.

In most cycles of a month nothing but leases is renewed. Where a controller says so beforehand, from a few numbers, the cycle is
not decided node by node; what comes out is the same (the unit tests compare it).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Protocol

from ...condor.goals import Verb
from ...condor.state import Startd, State
from ..config.settings import PolicySettings
from ..decide import policy_balance, policy_threshold, reserve
from ..decide.demand import Demand
from ..decide.engine import decide
from ..decide.policy_request import Direction
from ..model import (
    AccessPoint,
    Collector,
    Decisions,
    ForeignJob,
    IdleJobs,
    Memory,
    NodeAction,
    Pair,
    PairState,
    PoolSnapshot,
    Verification,
)
from .traces import TraceJob

EPOCH = 1_000_000_000
"""the simulated time at which the first job is submitted"""

Foreign = Callable[[], "tuple[int, int]"]
"""the next foreign job: how long it runs and how long it declares to run (0: it does not say), in seconds"""


@dataclass(frozen=True)
class Plant:
    """The pool: how many nodes, and how many cores each has."""

    nodes: int
    cores: int


@dataclass(frozen=True)
class ReplayResult:
    """What came of a replay. Core hours, seconds."""

    waits: tuple[int, ...]
    """of every local job that started, in the order of the trace; -1 of one that did not before the end"""
    lent: float
    """core hours of foreign jobs, without what was thrown away"""
    badput: float
    """core hours of foreign jobs that were evicted"""
    local: float
    """core hours of local jobs"""
    toggles: int
    """drains and their cancellings"""
    days: float
    nodes: int

    @property
    def badput_share(self) -> float:
        """Of all core hours given to foreign jobs, those thrown away."""
        given = self.lent + self.badput
        return self.badput / given if given else 0.0

    @property
    def toggles_per_node_and_day(self) -> float:
        """How often a node is turned."""
        return self.toggles / self.nodes / self.days if self.days else 0.0


@dataclass(frozen=True)
class CycleView:
    """The pool at the beginning of a cycle, in a few numbers."""

    time: int
    """seconds since the first submission"""
    idle: int
    """local jobs that wait"""
    waiting: int
    """cores that they need; none of them fits into what is free"""
    used: int
    """cores that local jobs hold"""
    open: int
    """cores of nodes whose regular side is open"""
    lent: int
    """nodes whose flocking side is open"""
    resting: int
    """of them, without a foreign job"""
    foreign: int
    """foreign jobs that run"""
    nodes: int
    """all of them"""
    smallest: int
    """cores of the smallest"""
    moving: int
    """nodes on their way out or back"""
    lendable: bool
    """whether an empty node could go out, and the reserve allowed it"""


Observe = Callable[[CycleView], None]
"""is shown the pool at the beginning of every cycle"""


def settled(look: CycleView, memory: Memory) -> bool:
    """Whether no node is on its way, and the memory knows."""
    known = sum(node.state in (PairState.LOCAL, PairState.FLOCK) for node in memory.nodes.values())
    return not look.moving and known == look.nodes


class Controller(Protocol):
    """What decides: the engine, or something to compare it with."""

    def still(self, look: CycleView, settings: PolicySettings, memory: Memory) -> Memory | None:
        """The memory after a cycle in which certainly nothing but leases is renewed; None where it has to be decided."""

    def decide(self, snapshot: PoolSnapshot, settings: PolicySettings, memory: Memory) -> tuple[Decisions, Memory]:
        """What is done, and what is to be remembered. Asked after ``still`` in the same cycle."""


class Engine:
    """The engine, with the policy of its settings."""

    def still(self, look: CycleView, settings: PolicySettings, memory: Memory) -> Memory | None:
        """Nothing moves, nobody waits for what is lent, and nothing can go out (or nothing may, since somebody waits)."""
        if not settled(look, memory):
            return None
        free = look.open - look.used
        demand = Demand(jobs=look.idle, cores=look.waiting, unmet=look.waiting, free=free, kinds=())
        after = policy_balance.count(demand, memory, settings)
        if settings.policy == "threshold":
            wished = policy_threshold.wish(demand, settings)
        else:
            wished = policy_balance.wish(demand, 0, look.nodes, after, settings)
        out = wished.way is Direction.OUT and look.lendable and (wished.cores is None or wished.cores >= look.smallest)
        back = wished.way is Direction.BACK and look.lent and (look.resting or wished.evicting != 0)
        return None if out or back else after

    def decide(self, snapshot: PoolSnapshot, settings: PolicySettings, memory: Memory) -> tuple[Decisions, Memory]:
        """As the daemon does."""
        return decide(snapshot, settings, memory)


def foreign_jobs(seed: int, mean: float = 4 * 3600, declared: float = 2.0) -> Foreign:
    """Foreign jobs of exponentially distributed length, a minute at least.

    ``mean`` in seconds; they declare to run ``declared`` times as long as they do (0: they declare nothing).
    """
    random = Random(seed)  # noqa: S311

    def following() -> tuple[int, int]:
        run = max(60, int(random.expovariate(1 / mean)))
        return run, int(run * declared)

    return following


def percentile(values: Sequence[int], share: float) -> int:
    """The smallest value that at least this share of the values does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else 0


def added(waits: Sequence[int], without: Sequence[int]) -> list[int]:
    """How much longer each job waited than in a replay that lent nothing; jobs that did not start in either are left out."""
    return [max(0, one - other) for one, other in zip(waits, without) if one >= 0 and other >= 0]


@dataclass
class _Running:
    began: int
    declared: int


@dataclass
class _Node:
    name: str
    cores: int
    used: int = 0
    drain: str = ""
    lease: int = 0
    foreign: dict[int, _Running] = field(default_factory=dict)
    jobs: tuple[ForeignJob, ...] | None = None
    """``foreign`` for a snapshot, until it changes"""

    @property
    def free(self) -> int:
        """Cores that a local job can have now."""
        return 0 if self.drain else self.cores - self.used


_ARRIVAL, _LOCAL_END, _FOREIGN_END, _CYCLE = range(4)


class _Pool:
    def __init__(self, plant: Plant, jobs: Sequence[TraceJob], foreign: Foreign) -> None:
        self.now = EPOCH
        self.nodes = {f"p{number:05d}": _Node(f"p{number:05d}", plant.cores) for number in range(1, plant.nodes + 1)}
        self.jobs = jobs
        self.waits = [-1] * len(jobs)
        self.foreign = foreign
        self.events: list[tuple[int, int, int, str]] = []
        self.queues: dict[int, deque[int]] = {}
        self.free: list[dict[str, None]] = [{} for _free in range(plant.cores + 1)]
        for name in self.nodes:
            self.free[plant.cores][name] = None
        self.serial = 0
        self.lent = self.badput = self.local = 0.0
        self.toggles = 0
        self.verified = Verification("pass", 0)
        self.first = jobs[0].submitted if jobs else 0

    def at(self, when: int, kind: int, number: int = 0, node: str = "") -> None:
        heappush(self.events, (when, kind, number, node))

    # --- local jobs

    def _use(self, node: _Node, cores: int) -> None:
        self.free[node.free].pop(node.name, None)
        node.used += cores
        self.free[node.free][node.name] = None

    def _turn(self, node: _Node, drain: str) -> None:
        self.free[node.free].pop(node.name, None)
        node.drain = drain
        self.free[node.free][node.name] = None

    def start_local(self) -> None:
        """Start what can be started, the size whose first job waits longest first."""
        blocked: set[int] = set()
        while True:
            sizes = [(queue[0], cores) for cores, queue in self.queues.items() if queue and cores not in blocked]
            if not sizes:
                return
            index, cores = min(sizes)
            name = next((next(iter(names)) for names in self.free[cores:] if names), None) if cores < len(self.free) else None
            if name is None:
                blocked.add(cores)
                continue
            self.queues[cores].popleft()
            job = self.jobs[index]
            self.waits[index] = self.now - EPOCH - (job.submitted - self.first)
            self._use(self.nodes[name], cores)
            self.at(self.now + job.run, _LOCAL_END, index, name)

    def arrive(self, index: int) -> None:
        self.queues.setdefault(self.jobs[index].cores, deque()).append(index)
        self.start_local()

    def end_local(self, index: int, node: _Node) -> None:
        job = self.jobs[index]
        self.local += job.cores * job.run / 3600
        self._use(node, -job.cores)
        self.start_local()

    # --- foreign jobs

    def fill(self, node: _Node) -> None:
        """An open flocking side is full at once."""
        while node.lease > self.now and len(node.foreign) < node.cores:
            run, declared = self.foreign()
            self.serial += 1
            node.foreign[self.serial] = _Running(self.now, self.now + declared if declared else 0)
            node.jobs = None
            self.at(self.now + run, _FOREIGN_END, self.serial, node.name)

    def end_foreign(self, number: int, node: _Node) -> None:
        running = node.foreign.pop(number, None)
        if running is not None:
            self.lent += (self.now - running.began) / 3600
            node.jobs = None
            self.fill(node)

    # --- the shepherd

    def _pair(self, node: _Node) -> Pair:
        host = "f" + node.name[1:]
        empty = State.DRAINING if node.foreign else State.DRAINED
        regular = Startd(
            name=node.name,
            machine=node.name,
            startd=node.name,
            flocking=False,
            flock_host="",
            state=State.DRAINED if node.drain else State.ON,
            busy=node.used,
            drained_by_htcondor=bool(node.drain),
            drain_reason=node.drain,
        )
        flocking = Startd(
            name=host,
            machine=host,
            startd=host,
            flocking=True,
            flock_host=node.name,
            state=State.ON if node.lease > self.now else empty,
            busy=len(node.foreign),
            open_until=node.lease,
        )
        if node.jobs is None:
            node.jobs = tuple(ForeignJob(str(number), 1, each.began, each.declared) for number, each in node.foreign.items())
        return Pair(
            name=node.name,
            regular=regular,
            flocking=flocking,
            regular_heard=self.now,
            flocking_heard=self.now,
            cores=node.cores,
            free=node.free,
            jobs=node.jobs,
            verification=self.verified,
        )

    def snapshot(self) -> PoolSnapshot:
        self.verified = Verification("pass", self.now)
        idle = tuple(
            IdleJobs(len(queue), cores, oldest=EPOCH + self.jobs[queue[0]].submitted - self.first)
            for cores, queue in self.queues.items()
            if queue
        )
        return PoolSnapshot(
            taken=self.now,
            pairs=tuple(map(self._pair, self.nodes.values())),
            collectors=(Collector("simulated", 1),),
            access_points=(AccessPoint("simulated", self.now, sum(kind.jobs for kind in idle)),),
            idle=idle,
        )

    def act(self, action: NodeAction) -> None:
        node = self.nodes[action.node]
        if action.verb is Verb.DRAIN:
            if not node.used and not node.drain:
                self._turn(node, action.drain_reason)
                self.toggles += 1
        elif action.verb is Verb.CANCEL_DRAIN:
            self._turn(node, "")
            self.toggles += 1
        elif action.verb is Verb.OPEN:
            node.lease = self.now + action.command.lease
            self.fill(node)
        elif action.verb is Verb.CLOSE:
            node.lease = 0
        elif action.verb is Verb.VACATE:
            self.badput += sum(self.now - each.began for each in node.foreign.values()) / 3600
            node.foreign.clear()
            node.jobs = None

    def look(self, settings: PolicySettings) -> CycleView:
        """The pool in a few numbers."""
        nodes = self.nodes.values()
        total = sum(node.cores for node in nodes)
        opened = sum(node.cores for node in nodes if not node.drain)
        lent = [node for node in nodes if node.drain and node.lease > self.now]
        away = sum(1 for node in nodes if node.drain or node.lease > 0 or node.foreign)
        empty = any(not node.used and not node.drain for node in nodes)
        smallest = min((node.cores for node in nodes), default=0)
        return CycleView(
            time=self.now - EPOCH,
            idle=sum(map(len, self.queues.values())),
            waiting=sum(cores * len(queue) for cores, queue in self.queues.items() if cores < len(self.free)),
            used=sum(node.used for node in nodes),
            open=opened,
            lent=len(lent),
            resting=sum(not node.foreign for node in lent),
            foreign=sum(len(node.foreign) for node in nodes),
            nodes=len(nodes),
            smallest=smallest,
            moving=away - len(lent),
            lendable=empty and opened - smallest >= reserve.least(total, settings.reserve),
        )

    def renew(self, settings: PolicySettings) -> None:
        """What the engine does to nodes that stay lent."""
        for node in self.nodes.values():
            if node.drain and node.lease > self.now:
                node.lease = self.now + settings.lease

    def cycle(self, settings: PolicySettings, memory: Memory, controller: Controller, observe: Observe | None) -> Memory:
        """One cycle of the shepherd."""
        look = self.look(settings)
        if observe is not None:
            observe(look)
        after = controller.still(look, settings, memory)
        if after is not None:
            self.renew(settings)
            return after
        decisions, after = controller.decide(self.snapshot(), settings, memory)
        for decision in decisions.nodes:
            for action in decision.actions:
                self.act(action)
        self.start_local()
        return after


def replay(
    trace: Iterable[TraceJob],
    plant: Plant,
    settings: PolicySettings | None,
    foreign: Foreign,
    *,
    seconds: int | None = None,
    controller: Controller | None = None,
    observe: Observe | None = None,
) -> ReplayResult:
    """Replay a trace for ``seconds`` (default: until its last submission).

    ``settings``: None to lend nothing. ``controller``: by default the engine. ``observe`` is shown every cycle.
    """
    jobs = sorted(trace, key=lambda job: job.submitted)
    pool = _Pool(plant, jobs, foreign)
    last = seconds if seconds is not None else (jobs[-1].submitted - pool.first if jobs else 0)
    for index, job in enumerate(jobs):
        pool.at(EPOCH + job.submitted - pool.first, _ARRIVAL, index)
    if settings is not None:
        pool.at(EPOCH, _CYCLE)
    memory = Memory()
    while pool.events and pool.events[0][0] <= EPOCH + last:
        pool.now, kind, number, name = heappop(pool.events)
        if kind == _ARRIVAL:
            pool.arrive(number)
        elif kind == _LOCAL_END:
            pool.end_local(number, pool.nodes[name])
        elif kind == _FOREIGN_END:
            pool.end_foreign(number, pool.nodes[name])
        elif settings is not None:
            memory = pool.cycle(settings, memory, controller or Engine(), observe)
            pool.at(pool.now + settings.cycle, _CYCLE)
    end = EPOCH + last
    running = sum(end - each.began for node in pool.nodes.values() for each in node.foreign.values())
    return ReplayResult(
        waits=tuple(pool.waits),
        lent=pool.lent + running / 3600,
        badput=pool.badput,
        local=pool.local,
        toggles=pool.toggles,
        days=last / 86400,
        nodes=plant.nodes,
    )
