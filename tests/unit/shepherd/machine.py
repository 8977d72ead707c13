"""The state machine: anything may happen between any two steps, and the rules hold."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import How, Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import State
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.settings import PolicySettings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide import engine, remember
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import (
    Decisions,
    IdleJobs,
    Memory,
    NodeAction,
    Override,
    OverrideKind,
    Pair,
    PoolSnapshot,
    Result,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.observe.collector_start import CollectorStart
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from nodes_in_memory import Node, World

LEASE = 900
MAX_AGE = 100_000
OFF = Override(OverrideKind.OFF, "alice", "a test")
HOLD = Override(OverrideKind.HOLD, "alice", "a test", nodes=frozenset({"p1"}))
OPENING = (Verb.DRAIN, Verb.OPEN, Verb.START)

number = st.integers(0, 5)
"""which node: more than there are, so that the small ones are often meant"""


class Shepherd(RuleBasedStateMachine):
    """A pool, the shepherd's cycles, and all that goes on besides."""

    world: World

    @initialize(
        cores=st.lists(st.sampled_from([1, 2, 8]), min_size=1, max_size=5),
        reserve=st.sampled_from([0.0, 0.25, 0.5]),
        policy=st.sampled_from(["balance", "threshold"]),
        watch=st.booleans(),
        warm=st.integers(0, 4),
        phase=st.sampled_from([0, 60, 120, 180, 240]),
        patience=st.sampled_from([1, 3]),
    )
    def begin(self, *, cores: list[int], reserve: float, policy: str, watch: bool, warm: int, phase: int, patience: int) -> None:
        self.world = World(cores, LEASE, phase)
        self.world.watch = watch
        self.settings = PolicySettings(
            policy=policy,
            lease=LEASE,
            reserve=reserve,
            threshold=1,
            low_cycles=1,
            high_cycles=patience,
            out_share=1.0,
            moving_share=1.0,
            dwell=0,
            verify_max_age=MAX_AGE,
            reclaim_cap=600,
            backoff_max=600,
            quarantine=1500,
        )
        self.forget()
        self.cycles(warm, 0)

    def forget(self) -> None:
        """Its memory is lost."""
        self.memory = Memory()
        self.results: tuple[Result, ...] = ()
        self.collectors: dict[str, CollectorStart] = {}

    def node(self, which: int) -> Node:
        nodes = list(self.world.nodes.values())
        return nodes[which % len(nodes)]

    # --- cycles

    def one_cycle(self, *, until: int | None = None, lost: int = -1, lag: float = 1) -> None:
        """One cycle; killed before the action ``until``; the command ``lost`` never arrives, though that is not noticed."""
        snapshot = self.world.snapshot(self.results, self.collectors)
        self.collectors = self.world.collectors(self.collectors)
        decisions, self.memory = engine.decide(snapshot, self.settings, self.memory)
        actions = [action for decision in decisions.nodes for action in decision.actions]
        self.check(snapshot, decisions, actions)
        results = []
        for index, action in enumerate(actions[:until]):
            if index == lost:
                results.append(Result(action.node, action.verb))
            else:
                results.append(self.world.act(action, lag))
        self.results = tuple(results)

    @rule(seconds=st.sampled_from([300, 300, 300, 60, 5]))
    def cycle(self, seconds: int) -> None:
        self.one_cycle()
        self.world.pass_time(seconds)

    @rule(many=st.integers(1, 4), queue=st.sampled_from([0, 0, 0, 1, 40]), seconds=st.sampled_from([300, 300, 100]))
    def cycles(self, many: int, queue: int, seconds: int = 300) -> None:
        self.queue(queue)
        for _cycle in range(many):
            self.one_cycle()
            self.world.pass_time(seconds)

    @rule(many=st.integers(2, 4), which=number)
    def quiet_cycles(self, many: int, which: int) -> None:
        """No local work, and foreign work as soon as it may."""
        self.queue(0)
        for _cycle in range(many):
            self.one_cycle()
            self.jobs_start(which, 1)
            self.world.pass_time(300)

    @rule(lag=st.sampled_from([30, 250]), lost=st.integers(0, 2))
    def bad_cycle(self, lag: float, lost: int) -> None:
        """Ads come late, a command gets lost without an error."""
        self.one_cycle(lost=lost, lag=lag)
        self.world.pass_time(300)

    @rule(until=st.integers(0, 4), kept=st.booleans(), seconds=st.sampled_from([1, 10, 400]), lag=st.sampled_from([1, 200]))
    def crash(self, until: int, kept: bool, seconds: int, lag: float) -> None:
        """Killed between two commands; its memory of before them is there, or gone."""
        self.one_cycle(until=until, lag=lag)
        self.memory, self.results = remember.load(remember.dump(self.memory))[0], ()
        if not kept:
            self.forget()
        self.world.pass_time(seconds)

    @rule(
        ahead=st.integers(0, 2),
        before=st.sampled_from([0, 40]),
        jobs=st.sampled_from([0, 40]),
        kept=st.booleans(),
        step=st.sampled_from([0, 0, -100, -400]),
        seconds=st.sampled_from([10, 150]),
        leak=st.booleans(),
        which=number,
    )
    def late_ads(
        self, *, ahead: int, before: int, jobs: int, kept: bool, step: int, seconds: int, leak: bool, which: int
    ) -> None:
        """The worst moment: a cycle whose effects nobody sees yet, perhaps a restart, demand turns, and a cycle again."""
        for name in range(len(self.world.nodes)):
            self.verify(name, "pass", 1000)
        self.cycles(ahead, before)
        self.queue(before)
        self.world.set_clock(step)
        self.one_cycle(lag=250)
        if not kept:
            self.forget()
        self.world.pass_time(seconds)
        self.queue(jobs)
        if leak:
            # Another node than in the cycle before has to do.
            self.verify(which, "leak", 100)
        self.one_cycle()
        self.verify(which, "pass", 100)
        self.world.pass_time(60)

    @rule(ahead=st.integers(0, 3), seconds=st.sampled_from([20, 300, 1000, 2500, 5000]), kept=st.booleans())
    def pause(self, ahead: int, seconds: int, kept: bool) -> None:
        """The shepherd hangs, or is dead for a while, and then goes on."""
        self.cycles(ahead, 0)
        self.world.pass_time(seconds)
        if not kept:
            self.forget()
        self.one_cycle()

    # --- work

    @rule(which=number, many=st.integers(1, 3))
    def jobs_start(self, which: int, many: int) -> None:
        """Where a side is open, jobs start."""
        world, node = self.world, self.node(which)
        for opened, side in ((world.regular_open(node), node.regular), (world.flock_open(node), node.flocking)):
            if opened and len(side.jobs) < node.cores:
                side.jobs += [int(world.time)] * min(many, node.cores - len(side.jobs))
                world.changed(node, side)

    @rule(which=number, regular=st.booleans())
    def jobs_end(self, which: int, regular: bool) -> None:
        node = self.node(which)
        side = node.regular if regular else node.flocking
        if side.jobs:
            side.jobs.clear()
            self.world.changed(node, side)

    @rule(jobs=st.sampled_from([0, 0, 1, 8, 40]))
    def queue(self, jobs: int) -> None:
        self.world.idle = (IdleJobs(jobs, 1),) if jobs else ()

    # --- faults

    @rule(which=number, seconds=st.sampled_from([200, 800]))
    def cut_off(self, which: int, seconds: int) -> None:
        node = self.node(which)
        node.cut = self.world.time + seconds

    @rule(which=number, regular=st.booleans())
    def startd_restarts(self, which: int, regular: bool) -> None:
        node = self.node(which)
        self.world.restart(node, node.regular if regular else node.flocking)

    @rule(which=number)
    def container_stops(self, which: int) -> None:
        node = self.node(which)
        node.flocking.up, node.flocking.lease, node.flocking.drain = False, 0, ""
        node.flocking.jobs.clear()
        self.world.changed(node, node.flocking)

    @rule()
    def collector_restarts(self) -> None:
        self.world.restart_collector()
        self.world.pass_time(310)

    @rule(step=st.sampled_from([-20_000, -2_000, -800, -400, -100, 100, 400, 800, 2_000, 20_000]))
    def clock_is_set(self, step: int) -> None:
        """The central manager's clock. Ads of before bear the old time, and so does the collector's own start."""
        self.world.set_clock(step)

    @rule(which=number, step=st.sampled_from([-2_000, -500, 500]))
    def nodes_clock_is_set(self, which: int, step: int) -> None:
        node = self.node(which)
        node.clock = max(-3_000, min(3_000, node.clock + step))
        self.world.changed(node, node.flocking)

    @rule(old=st.booleans())
    def access_point_is_silent(self, old: bool) -> None:
        self.world.point_heard = self.world.now - 5000 if old else None

    # --- people

    @rule(which=number)
    def somebody_drains(self, which: int) -> None:
        node = self.node(which)
        if not node.regular.drain:
            node.regular.drain = "new disks"
            self.world.changed(node, node.regular, 0)
            self.world.tell(node, node.regular)

    @rule(which=number)
    def somebody_cancels(self, which: int) -> None:
        node = self.node(which)
        node.regular.drain = ""
        node.excused = node.excused or bool(node.flocking.jobs or node.flocking.lease)
        self.world.changed(node, node.regular, 0)
        self.world.tell(node, node.regular)

    @rule(which=st.sampled_from([(), (), (), (), (OFF,), (HOLD,), (OFF, HOLD)]))
    def overrides(self, which: tuple[Override, ...]) -> None:
        self.world.overrides = which

    @rule(which=number, result=st.sampled_from(["pass", "pass", "leak", ""]), age=st.sampled_from([100, 100, MAX_AGE + 1000]))
    def verify(self, which: int, result: str, age: int) -> None:
        self.world.verify(self.node(which), result, age)

    # --- what must hold of every decision

    def check(self, snapshot: PoolSnapshot, decisions: Decisions, actions: Sequence[NodeAction]) -> None:
        pairs = {pair.name: pair for pair in snapshot.pairs}
        for action in actions:
            self.check_action(snapshot, decisions, action, pairs[action.node])
        for pair in snapshot.pairs:
            both = pair.regular and pair.regular.state is State.ON and pair.flocking and pair.flocking.state is not State.UNKNOWN
            if both and pair.flocking and pair.flocking.busy:
                told = [action.verb for action in actions if action.node == pair.name]
                assert Verb.VACATE in told, f"{pair.name}: local work has to come first where both sides are in use"
        self.check_reserve(snapshot, [action.node for action in actions if action.verb is Verb.DRAIN])

    def check_action(self, snapshot: PoolSnapshot, decisions: Decisions, action: NodeAction, pair: Pair) -> None:
        verb, regular, flocking = action.verb, pair.regular, pair.flocking
        held = any(each.kind is OverrideKind.HOLD and pair.name in each.nodes for each in snapshot.overrides)
        renewed = verb is Verb.OPEN and flocking is not None and flocking.state is State.ON
        if verb in OPENING or verb is Verb.CANCEL_DRAIN:
            assert regular and flocking, f"{action}: a side without an ad is unknown"
            assert State.UNKNOWN not in (regular.state, flocking.state), f"{action}: a side is unknown"
            assert not held, f"{action}: it is held"
        if verb in OPENING:
            seen = pair.verification
            assert seen and seen.result == "pass" and snapshot.taken - seen.time <= MAX_AGE, f"{action}: not verified"
            assert OFF not in snapshot.overrides, f"{action}: switched off"
            assert renewed or not decisions.cycle.frozen, f"{action}: frozen"
            assert renewed or not self.blind(snapshot), f"{action}: {self.blind(snapshot)}"
        if verb is Verb.OPEN:
            assert regular and regular.drain_reason.startswith("shepherd/"), f"{action}: not our drain"
            assert regular.state is State.DRAINED, f"{action}: the regular side is not seen empty"
            assert action.command.lease <= LEASE, f"{action}: longer than a lease"
        if verb is Verb.CANCEL_DRAIN:
            assert regular and regular.drain_reason.startswith("shepherd/"), f"{action}: not our drain"
            assert flocking and flocking.state in (State.DRAINED, State.OFF), f"{action}: the flocking side is not seen empty"
            assert not flocking.open_until, f"{action}: the flocking side's lease ran out, but was not taken away"
        if verb is Verb.DRAIN:
            assert regular and not regular.busy and action.command.how is How.PEACEFUL, f"{action}: local jobs run there"

    def blind(self, snapshot: PoolSnapshot) -> str:
        """Why nothing may be begun, found out another way than by the engine."""
        if self.world.time - self.world.collector_began < self.settings.collector_age:
            return "the collector is young"
        if self.world.point_heard is not None and snapshot.taken - self.world.point_heard > self.settings.demand_age:
            return "local demand is not known"
        return ""

    def check_reserve(self, snapshot: PoolSnapshot, drained: Sequence[str]) -> None:
        """What is really drained by us, with what is drained now, leaves the reserve."""
        if not drained:
            return
        theirs = {
            pair.name
            for pair in snapshot.pairs
            if pair.regular
            and (
                pair.regular.state is State.OFF or (pair.regular.drained_by_htcondor and pair.regular.drain_reason == "new disks")
            )
        }
        nodes = [node for node in self.world.nodes.values() if node.name not in theirs]
        total = sum(node.cores for node in nodes)
        ours = sum(node.cores for node in nodes if node.regular.drain.startswith("shepherd/") or node.name in drained)
        assert total - ours >= self.settings.reserve * total, f"{drained}: only {total - ours} of {total} cores stay out"

    # --- what must be true at any time

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def never_both_sides(self) -> None:
        for node in self.world.nodes.values():
            if self.world.settled(node):
                node.excused = False
            assert node.excused or not self.world.both_in_use(node), f"both sides of {node.name} are in use: {node}"

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def no_local_job_is_harmed(self) -> None:
        assert not self.world.evicted_local, "a local job was evicted by us"

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def others_drains_are_left_alone(self) -> None:
        assert not self.world.stolen, "somebody else's drain was cancelled"

    # --- how it ends

    def teardown(self) -> None:
        """When all is well again, every node comes home: brought by the shepherd, or by itself when that is dead."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.pass_time(1000)
        for node in world.nodes.values():
            node.clock = 0
            if node.regular.drain == "new disks":
                node.regular.drain = ""
                node.excused = True
            world.changed(node, node.regular)
        if world.watch:
            # Dead for good: leases end, jobs end, and each node sees to itself.
            world.pass_time(LEASE + world.ahead + 1)
            still = [node.name for node in world.nodes.values() if world.flock_open(node)]
            assert not still, f"still open to the flock without a shepherd: {still}"
            for node in world.nodes.values():
                node.flocking.jobs.clear()
            world.pass_time(3 * LEASE + 100)
        else:
            world.point_heard, world.overrides = None, (OFF,)
            world.offset = max(world.offset, 0)
            for _cycle in range(25):
                world.pass_time(300)
                self.one_cycle()
            for node in world.nodes.values():
                node.flocking.jobs.clear()
            world.pass_time(300)
        away = [node.name for node in world.nodes.values() if not world.regular_open(node) or world.flock_open(node)]
        assert not away, f"not back to local work: {away}"
        self.never_both_sides()
