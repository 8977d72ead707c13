"""Whole cycles: the steps of one node, taking back, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import State
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.settings import PolicySettings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide import reclaim
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide.engine import decide
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import (
    Collector,
    Decisions,
    ForeignJob,
    IdleJobs,
    Memory,
    NodeGoal,
    NodeMemory,
    Override,
    OverrideKind,
    Pair,
    PairState,
    Result,
    Stage,
    Verification,
    drain_reason,
)
from fake_condor import NOW
from nodes_in_memory import World
from pool_of import OLD, lent, pair, snapshot

S = State
EAGER = PolicySettings(low_cycles=1, reserve=0.0, dwell=0)
QUIET: tuple[IdleJobs, ...] = ()
BUSY = (IdleJobs(500, 1),)
AGED = NodeMemory(began=NOW - 100_000, wanted=NodeGoal.FLOCK)
GOING = replace(AGED, wanted=NodeGoal.LOCAL, closed_at=NOW - 300)


def decided(
    *pairs: Pair, node: NodeMemory = OLD, idle: Sequence[IdleJobs] = QUIET, settings: PolicySettings = EAGER, **facts: Any
) -> Decisions:
    memory = Memory(at=NOW - 300, nodes={each.name: node for each in pairs})
    return decide(snapshot(*pairs, idle=idle, **facts), settings, memory)[0]


def actions(*pairs: Pair, **options: Any) -> list[str]:
    return [str(action) for each in decided(*pairs, **options).nodes for action in each.actions]


CLOSED = pair(local=S.DRAINED)
YOUNG = {"collectors": (Collector("c", NOW - 10),)}
OFF = {"overrides": (Override(OverrideKind.OFF, "alice", "x"),)}
EVICT = {"overrides": (Override(OverrideKind.OFF, "alice", "x", evict=True),)}
HOLD = {"overrides": (Override(OverrideKind.HOLD, "alice", "x"),)}
LEAK = {"verification": Verification("leak", NOW - 10)}


@pytest.mark.parametrize(
    ("each", "node", "idle", "facts", "expected"),
    [
        (pair(), OLD, QUIET, {}, ["p1: drain (peaceful)"]),
        (pair(), OLD, BUSY, {}, []),
        (pair(), OLD, QUIET, YOUNG, []),
        (pair(), OLD, QUIET, OFF, []),
        (pair(), OLD, QUIET, HOLD, []),
        (pair(**LEAK), OLD, QUIET, {}, []),
        # Drained, and seen so: the other side opens; where its startd is off, that is started first.
        (CLOSED, AGED, QUIET, {}, ["f1: open for 900 s"]),
        (pair(local=S.DRAINED, flock=S.OFF), AGED, QUIET, {}, ["f1: start"]),
        (pair(local=S.DRAINING), AGED, QUIET, {}, []),
        (CLOSED, replace(AGED, cancelled_at=NOW - 30), QUIET, {}, []),
        (CLOSED, AGED, QUIET, YOUNG, []),
        (CLOSED, AGED, BUSY, {}, ["p1: cancel the drain"]),
        (CLOSED, replace(AGED, opened_at=NOW - 30), BUSY, {}, []),
        # Nobody followed this drain up: it may be cancelled by the node itself.
        (pair(local=S.DRAINED, reason=drain_reason(NOW - 901)), AGED, QUIET, {}, ["p1: cancel the drain"]),
        (pair(local=S.DRAINING), AGED, BUSY, {}, ["p1: cancel the drain"]),
        # Lent: renewed while it is wanted, held or not; not when that could do harm.
        (lent(flock_facts={"open_until": NOW + 600}), AGED, QUIET, {}, ["f1: open for 900 s"]),
        (lent(flock_facts={"open_until": NOW + 890}), AGED, QUIET, {}, []),
        (lent(flock_facts={"open_until": NOW + 600}), OLD, BUSY, YOUNG, ["f1: open for 900 s"]),
        (pair(local=None, flock=S.ON), AGED, QUIET, {}, []),
        (pair(local=S.UNKNOWN, flock=S.ON), AGED, QUIET, {}, []),
        (pair(local=S.DRAINED, flock=S.ON, reason="new disks"), AGED, QUIET, {}, []),
        (lent(), AGED, QUIET, HOLD, []),
        (lent(), AGED, BUSY, {}, ["f1: close"]),
        (lent(), AGED, QUIET, OFF, ["f1: close"]),
        (lent(busy=1), AGED, QUIET, OFF, ["f1: close"]),
        (lent(busy=1), AGED, QUIET, EVICT, ["f1: close", "f1: vacate (graceful)"]),
        (lent(busy=1, **LEAK), AGED, QUIET, YOUNG, ["f1: close", "f1: vacate (graceful)"]),
        (lent(verification=None), AGED, QUIET, {}, ["f1: close"]),
        (pair(local=None, flock=S.ON), AGED, QUIET, OFF, ["f1: close"]),
        # On the way back: nothing before it is seen closed and empty.
        (pair(local=S.DRAINED, flock=S.DRAINING, flock_facts={"busy": 1}), GOING, BUSY, {}, []),
        (pair(local=S.DRAINED, flock=S.DRAINING, flock_facts={"busy": 1}), GOING, QUIET, {}, ["f1: open for 900 s"]),
        (pair(local=S.DRAINED, flock_facts={"open_until": NOW - 9}), GOING, BUSY, {}, ["f1: close"]),
        (CLOSED, GOING, BUSY, {}, ["p1: cancel the drain"]),
        (CLOSED, GOING, BUSY, YOUNG, ["p1: cancel the drain"]),
        (pair(local=S.DRAINED, flock=S.OFF), GOING, BUSY, {}, ["p1: cancel the drain"]),
        (pair(local=S.DRAINED, flock=S.UNKNOWN), GOING, BUSY, {}, []),
        (pair(local=S.DRAINED, flock=None), GOING, BUSY, {}, []),
        (pair(local=S.DRAINED, reason="new disks"), GOING, BUSY, {}, []),
        # Both sides: local work first, whatever else is the case.
        (pair(flock=S.ON), OLD, QUIET, {}, ["f1: close"]),
        (pair(flock=S.ON, flock_facts={"busy": 1}), OLD, QUIET, HOLD, ["f1: close", "f1: vacate (graceful)"]),
        (
            pair(flock=S.DRAINING, flock_facts={"busy": 1}),
            replace(OLD, vacated_at=NOW - 120),
            QUIET,
            YOUNG,
            ["f1: vacate (fast)"],
        ),
        (pair(flock_facts={"open_until": NOW - 9}), OLD, BUSY, {}, ["f1: close"]),
        (pair(local=S.OFF, flock=S.ON), OLD, QUIET, {}, ["f1: close"]),
        # Failures are waited for.
        (CLOSED, replace(GOING, retry_at=NOW + 1, failures=2), BUSY, {}, []),
        (pair(flock=S.ON), replace(OLD, retry_at=NOW + 1, failures=2), QUIET, {}, ["f1: close"]),
    ],
)
def test_one_step(each: Pair, node: NodeMemory, idle: Sequence[IdleJobs], facts: dict[str, Any], expected: list[str]) -> None:
    assert actions(each, node=node, idle=idle, **facts) == expected


def test_nothing_is_opened_or_given_back_on_the_first_look() -> None:
    for each in (pair(), CLOSED):
        for idle in (QUIET, BUSY):
            assert decide(snapshot(each, idle=idle), EAGER, Memory())[0].nodes[0].actions == ()


def test_the_drain_is_marked() -> None:
    (action,) = decided(pair()).nodes[0].actions
    assert (action.verb, action.drain_reason) == (Verb.DRAIN, f"shepherd/{NOW}:flock")


def test_the_breaker_lends_no_more_and_gives_back_all_the_same() -> None:
    pairs = [pair("p1"), *(pair(f"p{number}", local=S.DRAINED) for number in range(2, 7))]
    node = replace(GOING, pending=Verb.CANCEL_DRAIN, pending_at=NOW - 300)
    results = tuple(Result(each.name, Verb.CANCEL_DRAIN, "no answer") for each in pairs)
    made = decided(*pairs, node=node, results=results)
    assert made.cycle.breaker and "too many commands failed" in made.cycle.wish
    assert {action.verb for each in made.nodes for action in each.actions} == {Verb.CANCEL_DRAIN}


def test_what_is_said() -> None:
    views = [pair("p1"), pair("p2", verification=None), pair("p3", local=None), lent("p4", busy=1, **LEAK)]
    made = decided(*views, settings=PolicySettings(low_cycles=3))
    said = {each.node: each.reason for each in made.nodes}
    assert "low for 1 of 3 cycles" in said["p1"]
    assert said["p2"] == "its isolation was never verified"
    assert said["p3"] == "the collector has no ad of the regular startd of p3"
    assert said["p4"].startswith("its last verification ended with 'leak'; asked to end: 1 foreign job")
    assert (made.cycle.cores, made.cycle.local_cores, made.cycle.lent_cores, made.cycle.reserve_cores) == (32, 16, 16, 8)
    assert made.nodes[3].facts["foreign_jobs"] == 1 and made.nodes[1].facts["regular"] == "on"


JOBS = (ForeignJob("a", 2, NOW - 7200, NOW + 100), ForeignJob("b", 1, NOW - 3600, NOW + 5000), ForeignJob("c", 1, NOW - 1800))
TAKE = PolicySettings(reclaim_cap=1000, quick=60)


@pytest.mark.parametrize(
    ("jobs", "closed", "vacated", "hurry", "stage"),
    [
        (JOBS[:1], NOW - 10, 0, False, Stage.GRACEFUL),
        (JOBS[:1], NOW - 1000, 0, False, Stage.QUICK),
        ((replace(JOBS[0], declared_end=NOW),), NOW - 10, 0, False, Stage.QUICK),
        (JOBS, NOW - 999, 0, False, Stage.GRACEFUL),
        (JOBS, NOW - 1000, 0, False, Stage.QUICK),
        (JOBS, NOW - 10, 0, True, Stage.QUICK),
        (JOBS, NOW - 1060, NOW - 59, False, Stage.QUICK),
        (JOBS, NOW - 1060, NOW - 60, False, Stage.FAST),
        ((), NOW - 999, 0, False, Stage.GRACEFUL),
        ((), NOW - 1000, 0, False, Stage.QUICK),
    ],
)
def test_taking_back(*, jobs: tuple[ForeignJob, ...], closed: int, vacated: int, hurry: bool, stage: Stage) -> None:
    each = pair(local=S.DRAINED, flock=S.DRAINING, jobs=jobs)
    assert reclaim.stage(each, replace(OLD, closed_at=closed, vacated_at=vacated), NOW, TAKE, hurry=hurry) is stage


def test_what_taking_back_costs() -> None:
    assert reclaim.core_hours(JOBS, NOW) == 2 * 2 + 1 + 0.5
    # The first ends by itself; the others are ended after the cap.
    assert reclaim.expected_loss(pair(jobs=JOBS), NOW, TAKE) == pytest.approx(1 + 0.5 + 2 * 1000 / 3600)
    taken = pair(local=S.DRAINED, flock=S.DRAINING, flock_facts={"busy": 3}, jobs=JOBS)
    made = decided(taken, node=replace(GOING, closed_at=NOW - 1000), idle=BUSY, settings=replace(EAGER, reclaim_cap=1000))
    assert made.cycle.core_hours_lost == 5.5 and made.nodes[0].facts["core_hours_lost"] == 5.5


def test_a_whole_round() -> None:
    """Out when nothing waits, reserve kept, back when something does, on a pool with ads that lag."""
    world, memory, results = World([4, 4, 4, 4], 900), Memory(), ()
    settings = PolicySettings(low_cycles=2, high_cycles=1, out_share=0.5, moving_share=1.0, reclaim_cap=3600)
    history = []
    for cycle in range(12):
        world.idle = BUSY if cycle >= 7 else QUIET
        made, memory = decide(world.snapshot(results), settings, memory)
        results = tuple(world.act(action) for each in made.nodes for action in each.actions)
        history.append([each.state for each in made.nodes])
        world.pass_time(300)
        if cycle == 5:
            world.nodes["p1"].flocking.jobs.append(int(world.time))
    local, out, flock, home = PairState.LOCAL, PairState.DRAINING_LOCAL, PairState.FLOCK, PairState.DRAINING_FLOCK
    assert history[:2] == [[local] * 4] * 2
    assert history[2] == [out, out, local, local]
    assert history[3] == [flock, flock, out, local]
    assert history[4] == history[7] == [flock, flock, flock, local]
    assert history[8] == [home, home, home, local]
    assert history[9] == history[11] == [home, local, local, local]
    assert not world.evicted_local and [decision.state for decision in made.nodes] == history[11]
