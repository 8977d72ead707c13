"""A pool in memory that does what real ones were seen to do: ads that lag or get lost, commands that fail, clocks that jump.

What is true and what the collector has heard are kept apart; only the latter goes into a snapshot, through the adapter's parser.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor import ads
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import How, Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import AdFreshness, describe
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import (
    AccessPoint,
    Collector,
    ForeignJob,
    IdleJobs,
    NodeAction,
    Override,
    Pair,
    PoolSnapshot,
    Result,
    Verification,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.observe.collector_start import CollectorStart, starts

START = 1_800_000_000
SLOW = 15
"""seconds until the last slot of a drained startd says so"""
UPDATE = 300
"""seconds between the ads of a startd that does not change"""


@dataclass
class Side:
    """One startd as it really is."""

    up: bool = True
    jobs: list[int] = field(default_factory=list)
    """when each began, true time"""
    drain: str = ""
    drained: float = 0
    """true time of the drain's begin: its slots say so one after the other"""
    lease: int = 0
    """by the node's clock"""
    ad: ads.SlotAd | None = None
    master: ads.MasterAd | None = None
    told: float = -1e9
    """true time of the last ad"""
    changed: float = -1
    """true time at which a change goes out, -1 when there is none"""


@dataclass
class Node:
    name: str
    cores: int
    regular: Side = field(default_factory=Side)
    flocking: Side = field(default_factory=Side)
    cut: float = 0
    """true time until which nothing passes"""
    clock: int = 0
    """the container's clock less the true time"""
    verification: Verification | None = None
    excused: bool = False
    """somebody else opened a side while the other was in use"""
    idle_since: float = 0
    """since when the flocking side is closed and empty; the node's own watch over a dead shepherd goes by it"""


class World:
    """The nodes, the collector and their clocks."""

    def __init__(self, cores: Iterable[int], lease: int, phase: int = 0) -> None:
        """``phase``: when in the 300 s between two ads the first cycle comes."""
        self.time = float(START)
        self.offset = 0
        """the central manager's clock less the true time"""
        self.ahead = 0
        """the most that it has ever been ahead: a lease given then ends so much later"""
        self.lease = lease
        self.nodes = {f"p{number}": Node(f"p{number}", size) for number, size in enumerate(cores, 1)}
        for node in self.nodes.values():
            node.verification = Verification("pass", self.now - 1000)
        self.collector_started = self.now - 100_000
        self.collector_began = self.time - 100_000
        """in true time, and earlier by what the clock was set forward since: nobody can tell that from time that passed"""
        self.idle: tuple[IdleJobs, ...] = ()
        self.point_heard: int | None = None
        """when the access point was last heard; None for just now"""
        self.overrides: tuple[Override, ...] = ()
        self.evicted_local = 0
        self.stolen = 0
        """drains of others that were cancelled by us"""
        self.watch = True
        self.pass_time(1)
        self.pass_time(UPDATE + phase)

    @property
    def now(self) -> int:
        """By the central manager's clock."""
        return int(self.time) + self.offset

    def set_clock(self, step: int) -> None:
        """Set the central manager's clock forward or back."""
        self.offset += step
        self.collector_began -= max(step, 0)
        self.ahead = max(self.ahead, self.offset)

    # --- what is true

    def regular_open(self, node: Node) -> bool:
        return node.regular.up and not node.regular.drain

    def flock_open(self, node: Node) -> bool:
        return node.flocking.up and node.flocking.lease > self.time + node.clock

    def both_in_use(self, node: Node) -> bool:
        """Whether a side takes jobs while the other takes or runs some."""
        flocking, regular = self.flock_open(node), self.regular_open(node)
        return (flocking and (regular or bool(node.regular.jobs))) or (regular and bool(node.flocking.jobs))

    def settled(self, node: Node) -> bool:
        """Whether nothing is left of what somebody else did: a lease that ran out may run again when a clock is set back."""
        regular = self.regular_open(node) or node.regular.jobs
        return not (regular and (node.flocking.lease or node.flocking.jobs))

    # --- ads

    def _slot(self, node: Node, side: Side, flocking: bool) -> ads.SlotAd:
        host = ("f" + node.name[1:] if flocking else node.name) + ".test"
        drained = bool(side.drain) and not side.jobs and self.time - side.drained > SLOW
        return ads.SlotAd.parse(
            {
                "Name": f"slot1@{host}",
                "Machine": host,
                "MyAddress": f"<{host}>",
                "MyCurrentTime": int(self.time) + node.clock,
                "LastHeardFrom": self.now,
                "State": "Drained" if drained else "Unclaimed",
                "PartitionableSlot": True,
                "NumDynamicSlots": len(side.jobs),
                "Cpus": node.cores - min(node.cores, len(side.jobs)),
                "Draining": bool(side.drain),
                **({"DrainReason": side.drain} if side.drain else {}),
                "FlockNode": flocking,
                **({"FlockHost": node.name} if flocking else {}),
                **({"FlockOpenUntil": side.lease} if flocking and side.lease else {}),
            }
        )

    def tell(self, node: Node, side: Side) -> None:
        """The startd (or, where it is off, its master alone) is heard by the collector."""
        if node.cut > self.time:
            return
        flocking = side is node.flocking
        host = ("f" + node.name[1:] if flocking else node.name) + ".test"
        side.ad = self._slot(node, side, flocking) if side.up else None
        start = 1 if side.up else 0
        facts = {"Name": host, "Machine": host, "LastHeardFrom": self.now, "STARTD_StartTime": start, "FlockNode": flocking}
        side.master = ads.MasterAd.parse({**facts, **({"FlockHost": node.name} if flocking else {})})
        side.told, side.changed = self.time, -1
        if side.drain and self.time - side.drained <= SLOW:
            side.changed = side.drained + SLOW + 1

    def changed(self, node: Node, side: Side, lag: float = 1) -> None:
        """A change of a startd goes out ``lag`` seconds later."""
        side.changed = self.time + lag

    # --- time

    def pass_time(self, seconds: float) -> None:
        """Let time pass; ads are sent as they are due."""
        end = self.time + seconds
        while self.time < end:
            changes = [
                side.changed
                for node in self.nodes.values()
                if node.cut <= self.time
                for side in (node.regular, node.flocking)
                if side.changed > self.time
            ]
            self.time = min(end, self.time + 60, *changes)
            for node in self.nodes.values():
                for side in (node.regular, node.flocking):
                    if -1 < side.changed <= self.time or self.time - side.told >= UPDATE:
                        self.tell(node, side)
                self._watch(node)

    def _watch(self, node: Node) -> None:
        """What each node does by itself: a drain of the shepherd's that nobody follows up is cancelled.

        It waits for three leases, since the last cannot be told from one that is just coming.
        """
        if self.flock_open(node) or node.flocking.jobs or not node.regular.drain.startswith("shepherd/"):
            node.idle_since = self.time
        elif self.watch and self.time - node.idle_since > 3 * self.lease:
            node.flocking.lease = 0
            node.regular.drain = ""
            # The moment in which nobody can see it yet is made long, so that it is met.
            self.changed(node, node.regular, 250)

    # --- what the shepherd sees

    def collectors(self, before: Mapping[str, CollectorStart]) -> dict[str, CollectorStart]:
        """What a cycle finds out of the collector's start. ``before``: what the last one did."""
        return starts({"": self.collector_started}, before, self.now)

    def snapshot(self, results: tuple[Result, ...] = (), before: Mapping[str, CollectorStart] | None = None) -> PoolSnapshot:
        started = self.collectors(before or {})[""].since
        sides = [side for node in self.nodes.values() for side in (node.regular, node.flocking)]
        seen = describe(
            [
                ads.CollectorAnswer(
                    collector="",
                    taken=self.now,
                    started=started,
                    slots=tuple(side.ad for side in sides if side.ad),
                    masters=tuple(side.master for side in sides if side.master),
                )
            ],
            AdFreshness(),
        )
        pairs = []
        for node in self.nodes.values():
            regular, flocking = seen.get(node.name), seen.get("f" + node.name[1:])
            heard = [
                (side.ad.heard if side.ad else side.master.heard if side.master else 0) for side in (node.regular, node.flocking)
            ]
            busy = flocking.busy if flocking else 0
            known = sorted(int(began) + self.offset for began in node.flocking.jobs)[:busy]
            pairs.append(
                Pair(
                    name=node.name,
                    regular=regular,
                    flocking=flocking,
                    regular_heard=heard[0],
                    flocking_heard=heard[1],
                    cores=node.cores,
                    free=node.cores - min(node.cores, regular.busy) if regular else 0,
                    jobs=tuple(ForeignJob(f"slot1_{number}", 1, began) for number, began in enumerate(known)),
                    verification=node.verification,
                )
            )
        return PoolSnapshot(
            taken=self.now,
            pairs=tuple(pairs),
            collectors=(Collector("", started),),
            access_points=(
                AccessPoint(
                    "ap", self.now if self.point_heard is None else self.point_heard, sum(kind.jobs for kind in self.idle)
                ),
            ),
            idle=self.idle,
            overrides=self.overrides,
            results=results,
        )

    # --- what the shepherd does

    def act(self, action: NodeAction, lag: float = 1) -> Result:
        """One command, as HTCondor and the adapter carry it out."""
        node = self.nodes[action.node]
        side = node.flocking if action.startd.flocking else node.regular
        verb, how = action.verb, action.command.how
        if node.cut > self.time:
            return Result(action.node, verb, error="no answer")
        if not side.up and verb is not Verb.START:
            return Result(action.node, verb, error="no startd")
        if side is node.regular:
            refused = self._on_regular(node, verb, how, action.drain_reason)
            if refused:
                return refused
        elif verb is Verb.OPEN:
            side.lease = self.now + action.command.lease
        elif verb is Verb.CLOSE:
            side.lease = 0
        elif verb is Verb.VACATE:
            side.jobs.clear()
        elif verb is Verb.START:
            side.up = True
        else:
            raise AssertionError(f"nothing else is ever done to a flocking startd: {action}")
        self.changed(node, side, lag)
        return Result(action.node, verb)

    def _on_regular(self, node: Node, verb: Verb, how: How, reason: str) -> Result | None:
        side = node.regular
        if verb is Verb.DRAIN:
            if side.drain:
                return Result(node.name, verb, error="it is draining already")
            if side.jobs and how is How.PEACEFUL:
                return Result(node.name, verb, error="it runs something", refused=True)
            self.evicted_local += len(side.jobs)
            side.jobs.clear()
            side.drain, side.drained = reason, self.time
        elif verb is Verb.CANCEL_DRAIN:
            if not side.drain:
                return Result(node.name, verb, error="it is not draining")
            self.stolen += not side.drain.startswith("shepherd/")
            side.drain = ""
        else:
            self.evicted_local += len(side.jobs)
            side.jobs.clear()
        return None

    # --- what others do

    def restart(self, node: Node, side: Side) -> None:
        """A startd restarts: its drain and its lease are gone, and so are its jobs."""
        side.up, side.drain, side.lease = True, "", 0
        side.jobs.clear()
        if side is node.regular and (node.flocking.lease or node.flocking.jobs):
            node.excused = True
        # Heard at once: nobody can see in the second before that the drain is gone.
        self.changed(node, side, 0)
        self.tell(node, side)

    def restart_collector(self) -> None:
        self.collector_started, self.collector_began = self.now, self.time
        for node in self.nodes.values():
            for side in (node.regular, node.flocking):
                side.ad = side.master = None

    def verify(self, node: Node, result: str, age: int) -> None:
        node.verification = replace(Verification(result, self.now - age)) if result else None
