"""How much goes which way: demand, the two policies, the reserve, and which nodes it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import State
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.settings import PolicySettings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide import (
    policy_balance,
    policy_threshold,
    reserve,
    selection,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide.demand import measure
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide.policy_request import Direction, PolicyRequest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import ForeignJob, IdleJobs, Memory, NodeGoal
from fake_condor import NOW
from pool_of import OLD, SETTINGS, demand, lent, pair, scene_of, seen, snapshot

S = State


@pytest.mark.parametrize(
    ("jobs", "way", "nodes"),
    [(0, Direction.OUT, 3), (599, Direction.OUT, 3), (600, Direction.STAY, None), (601, Direction.BACK, 5)],
)
def test_the_talks_rule(jobs: int, way: Direction, nodes: int | None) -> None:
    made = policy_threshold.wish(demand(jobs=jobs), PolicySettings(policy="threshold", threshold=600, step_out=3, step_back=5))
    assert (made.way, made.nodes) == (way, nodes)


LIMITS = PolicySettings(low=4, high=10, low_cycles=3, high_cycles=2, out_share=0.1)


@pytest.mark.parametrize(
    ("unmet", "low", "way", "nodes", "cores"),
    [
        (0, 2, Direction.OUT, 2, 77),
        (4, 2, Direction.OUT, 2, 77),
        (0, 1, Direction.STAY, None, None),
        (5, 9, Direction.STAY, None, None),
        (10, 9, Direction.STAY, None, None),
    ],
)
def test_out_when_little_waits(unmet: int, low: int, way: Direction, nodes: int | None, cores: int | None) -> None:
    wants = demand(unmet, free=77)
    made = policy_balance.wish(wants, 0, 29, policy_balance.count(wants, Memory(low_cycles=low), LIMITS), LIMITS)
    assert (made.way, made.nodes, made.cores, made.evicting) == (way, nodes, cores, None)


@pytest.mark.parametrize(
    ("missing", "unmet", "coming", "cores", "evicting"),
    [
        # Empty nodes at once; foreign jobs do not leave for what may be over in the next cycle.
        ((), 11, 0, 11, 0),
        ((11,), 11, 0, 11, 11),
        # What was missing all the time.
        ((99,), 12, 0, 12, 12),
        ((20,), 99, 0, 99, 20),
        ((20, 99), 99, 0, 99, 99),
        # What is on its way is not asked for again.
        ((20,), 99, 8, 91, 12),
        ((20,), 99, 50, 49, 0),
    ],
)
def test_back_by_what_waits(missing: tuple[int, ...], unmet: int, coming: int, cores: int, evicting: int) -> None:
    wants = demand(unmet)
    made = policy_balance.wish(wants, coming, 29, policy_balance.count(wants, Memory(missing=missing), LIMITS), LIMITS)
    assert (made.way, made.nodes, made.cores, made.evicting) == (Direction.BACK, None, cores, evicting)


def test_three_cycles_by_default() -> None:
    memory, asked = Memory(), []
    for unmet in (5, 3, 9, 1):
        memory = policy_balance.count(demand(unmet), memory, SETTINGS)
        asked.append(policy_balance.wish(demand(unmet), 0, 9, memory, SETTINGS).evicting)
    assert asked == [0, 0, 3, 1]


def test_nothing_more_is_asked_for_when_enough_is_on_its_way() -> None:
    memory = policy_balance.count(demand(11), Memory(missing=(11,)), LIMITS)
    assert policy_balance.wish(demand(11), 11, 29, memory, LIMITS).way is Direction.STAY


def test_counting_begins_anew() -> None:
    assert policy_balance.count(demand(7), Memory(low_cycles=9, missing=(11, 12)), LIMITS) == Memory()


@pytest.mark.parametrize(
    ("idle", "cores", "unmet", "left"),
    [
        ([], 0, 0, 16),
        ([IdleJobs(3, 4)], 12, 0, 4),
        # Two nodes of eight: five jobs of six cores do not fit, though there are cores.
        ([IdleJobs(5, 6)], 30, 18, 4),
        ([IdleJobs(1, 8), IdleJobs(9, 1)], 17, 1, 0),
        ([IdleJobs(4, 1, frozenset())], 0, 0, 16),
        ([IdleJobs(9, 1, frozenset({"p1"}))], 9, 1, 8),
        ([IdleJobs(9, 1, frozenset({"p3"}))], 9, 9, 16),
        # It waits since long: free cores do not help it.
        ([IdleJobs(3, 1, oldest=NOW - 601)], 3, 3, 16),
        ([IdleJobs(3, 1, oldest=NOW - 600)], 3, 0, 13),
        ([IdleJobs(0, 4), IdleJobs(4, 0)], 0, 0, 16),
    ],
)
def test_demand(idle: list[IdleJobs], cores: int, unmet: int, left: int) -> None:
    pairs = [pair("p1"), pair("p2"), lent("p3")]
    wants = measure(snapshot(*pairs, idle=idle), [seen(each) for each in pairs], SETTINGS)
    assert (wants.cores, wants.unmet, wants.free) == (cores, unmet, left)


@pytest.mark.parametrize(
    ("cores", "share", "least"),
    [(10, 0.25, 3), (8, 0.25, 2), (30, 0.1, 3), (1, 0.01, 1), (7, 0.0, 0), (7, 1.0, 7), (100, 0.07, 7)],
)
def test_the_reserve_is_rounded_up(cores: int, share: float, least: int) -> None:
    assert reserve.least(cores, share) == least


def test_what_counts_for_the_reserve() -> None:
    views = [
        seen(pair("p1")),
        seen(pair("p2"), replace(OLD, drained_at=NOW - 1)),
        seen(lent("p3")),
        seen(pair("p4", local=None)),
        seen(pair("p5", local=S.OFF)),
        seen(pair("p6", local=S.DRAINED, reason="new disks")),
        seen(pair("p7", local=None, cores=0)),
    ]
    divided = reserve.divide(views, PolicySettings(reserve=0.5))
    # Off and drained by others: not ours. Unknown: perhaps lent. Never seen: as big as the biggest.
    assert (divided.cores, divided.local, divided.sure, divided.least) == (40, 16, 8, 20)
    assert divided.missing == 4 and not divided.allows(1)


def out(*views: object, settings: PolicySettings = SETTINGS, **wish: int | None) -> list[str]:
    return selection.outgoing(PolicyRequest(Direction.OUT, "", **wish), scene_of(*views, settings=settings))  # type: ignore[arg-type]


def test_what_goes_out() -> None:
    four = [seen(pair(f"p{number}")) for number in range(1, 5)]
    free = PolicySettings(reserve=0.0, moving_share=1.0)
    assert out(*four, settings=PolicySettings(reserve=0.25, moving_share=1.0)) == ["p1", "p2", "p3"]
    assert out(*four, settings=PolicySettings(reserve=0.26, moving_share=1.0)) == ["p1", "p2"]
    assert out(*four, settings=PolicySettings(reserve=1.0, moving_share=1.0)) == []
    assert out(*four, settings=free, nodes=2) == ["p1", "p2"]
    assert out(*four, settings=free, cores=17) == ["p1", "p2"]
    assert out(*four, settings=PolicySettings(reserve=0.0, moving_share=0.5)) == ["p1", "p2"]
    assert selection.outgoing(PolicyRequest(Direction.STAY, ""), scene_of(*four)) == []


def test_what_does_not_go_out() -> None:
    views = [
        seen(pair("p1", regular_facts={"busy": 1})),
        seen(pair("p2", verification=None)),
        seen(pair("p3"), replace(OLD, retry_at=NOW + 1)),
        seen(pair("p4"), replace(OLD, returned_at=NOW - 10)),
        seen(pair("p5", flock=None)),
        seen(pair("p6", flock_facts={"drained_by_htcondor": True})),
        seen(pair("p7", flock_facts={"clock_offset": 901})),
        seen(pair("p8", flock_facts={"open_until": NOW - 5})),
        seen(pair("p9")),
    ]
    assert out(*views, settings=PolicySettings(reserve=0.0, dwell=900)) == ["p9"]


def test_what_is_on_its_way_back_turns_round_first() -> None:
    views = [
        seen(pair("p1")),
        seen(pair("p2", S.DRAINED, S.DRAINING, flock_facts={"busy": 2}), replace(OLD, wanted=NodeGoal.LOCAL)),
    ]
    assert out(*views, settings=PolicySettings(reserve=0.0), nodes=1) == ["p2"]


def test_foreign_jobs_are_spared_when_nobody_waits_for_their_node_any_more() -> None:
    home = replace(OLD, wanted=NodeGoal.LOCAL)
    views = [
        seen(pair("p1")),
        seen(pair("p2", S.DRAINED, S.DRAINING, flock_facts={"busy": 1}, jobs=(job(1),)), replace(home, closed_at=NOW - 900)),
        # Already empty: it comes back, as it was asked to.
        seen(pair("p3", S.DRAINED, S.DRAINED), home),
        seen(pair("p4", S.DRAINED, S.DRAINING, flock_facts={"busy": 1}, jobs=(job(1),)), replace(home, closed_at=NOW - 300)),
        # Its jobs are being asked to end.
        seen(pair("p5", S.DRAINED, S.DRAINING, flock_facts={"busy": 1}, jobs=(job(1),)), replace(home, vacated_at=NOW - 9)),
    ]
    wish = policy_balance.wish(demand(free=9), 24, 5, Memory(low_cycles=1), LIMITS)
    assert (wish.way, wish.spare) == (Direction.STAY, 24)
    scene = scene_of(*views, settings=PolicySettings(reserve=0.0))
    assert selection.outgoing(wish, scene) == ["p4", "p2"]
    # Some wait still: what was closed last turns round.
    assert policy_balance.wish(demand(11), 24, 5, Memory(missing=(11, 11)), LIMITS).spare == 13
    assert selection.outgoing(replace(wish, spare=13), scene) == ["p4"]
    assert selection.outgoing(replace(wish, spare=0), scene) == []


def test_nothing_goes_out_while_cores_are_missing_in_the_reserve() -> None:
    views = [seen(pair("p1")), *(seen(lent(f"p{number}")) for number in range(2, 9))]
    assert out(*views) == []


def back(views: list[object], wish: PolicyRequest, unmet: int = 100, nodes: frozenset[str] | None = None) -> list[str]:
    return selection.returning(wish, scene_of(*views, wants=demand(unmet, nodes=nodes), settings=PolicySettings(reserve=0.0)))  # type: ignore[arg-type]


def job(hours: float, ends: int = 0) -> ForeignJob:
    return ForeignJob("slot1_1", 1, int(NOW - hours * 3600), ends and NOW + ends)


def test_the_order_in_which_nodes_come_back() -> None:
    views: list[object] = [
        seen(lent("p1", busy=1, jobs=(job(9),))),
        seen(lent("p2", busy=1, jobs=(job(2),))),
        seen(lent("p3", busy=1, jobs=(job(20, ends=600),))),
        seen(lent("p4")),
        seen(pair("p5", local=S.DRAINED), replace(OLD, wanted=NodeGoal.FLOCK)),
        seen(pair("p6")),
    ]
    whole = ["p5", "p4", "p3", "p2", "p1"]
    assert back(views, PolicyRequest(Direction.BACK, "")) == whole
    assert back(views, PolicyRequest(Direction.BACK, "", cores=17)) == whole[:3]
    assert back(views, PolicyRequest(Direction.BACK, "", cores=99, evicting=0)) == whole[:2]
    # What comes back without harm counts.
    assert back(views, PolicyRequest(Direction.BACK, "", cores=99, evicting=16)) == whole[:2]
    assert back(views, PolicyRequest(Direction.BACK, "", cores=99, evicting=17)) == whole[:3]
    assert back(views, PolicyRequest(Direction.BACK, "", nodes=2)) == whole[:2]
    assert back(views, PolicyRequest(Direction.BACK, "", cores=99), nodes=frozenset({"p2", "p4"})) == ["p4", "p2"]
    assert back(views, PolicyRequest(Direction.STAY, "")) == []


def test_the_reserve_is_filled_up_by_itself() -> None:
    views = [seen(pair("p1")), *(seen(lent(f"p{number}")) for number in range(2, 9))]
    # 16 of 64 cores have to stay, 8 do.
    assert selection.returning(PolicyRequest(Direction.STAY, ""), scene_of(*views)) == ["p2"]
    coming = seen(lent("p9"), replace(OLD, wanted=NodeGoal.LOCAL))
    assert selection.returning(PolicyRequest(Direction.STAY, ""), scene_of(*views, coming)) == ["p2"]
    assert selection.returning(PolicyRequest(Direction.STAY, ""), scene_of(*views[:-1], coming)) == []
