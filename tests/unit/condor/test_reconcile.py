"""The loop of looking, planning and acting."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError, NoAnswer
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import Goal, How, StartdGoal
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.reconcile import StartdOutcome, reconcile, select
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import State
from fake_condor import FakePool, flocking, regular


def bring(pool: FakePool, goal: Goal, *names: str, wait: float = 30, **options: Any) -> dict[str, StartdOutcome]:
    everyone = pool.observe()
    chosen, missing = select(names, everyone)
    assert not missing
    return reconcile(pool, chosen, everyone, goal, wait=wait, sleep=pool.sleep, clock=pool.clock, **options)


def test_waits_until_it_is_in_the_ads_and_sends_once() -> None:
    pool = FakePool(regular(), lag=4)
    (outcome,) = bring(pool, Goal(StartdGoal.DRAINED), "p220").values()
    assert outcome.reached and outcome.after.state is State.DRAINED
    assert pool.calls == [("p220", "drain (peaceful)")]


def test_not_to_see_it_in_time_is_no_success() -> None:
    pool = FakePool(regular(), lag=50)
    (outcome,) = bring(pool, Goal(StartdGoal.DRAINED), "p220", wait=5).values()
    assert not outcome.reached and outcome.changed and outcome.after.state is State.ON


def test_a_busy_startd_is_asked_again_until_it_is_empty() -> None:
    pool = FakePool(regular(busy=1))
    sleeps = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        pool.sleep(seconds)
        if len(sleeps) == 3:
            pool.finish_jobs("p220")

    everyone = pool.observe()
    outcome = reconcile(pool, everyone, everyone, Goal(StartdGoal.DRAINED), wait=30, sleep=sleep, clock=pool.clock)["p220"]
    assert outcome.reached and not outcome.error
    assert pool.calls == [("p220", "drain (peaceful)")] * 4
    assert [str(action) for action in outcome.actions] == ["drain (peaceful)"]


def test_off_and_flocking_is_started_seen_and_opened() -> None:
    pool = FakePool(flocking(state=State.OFF), regular(state=State.DRAINED), lag=1)
    (outcome,) = bring(pool, Goal(StartdGoal.ON, lease=60), "f220").values()
    assert outcome.reached
    assert pool.calls == [("f220", "start"), ("f220", "open for 60 s")]


def test_what_must_not_be_touched_is_left_and_the_rest_is_done() -> None:
    pool = FakePool(regular("p1", State.UNKNOWN, why="old"), regular("p2"))
    outcomes = bring(pool, Goal(StartdGoal.DRAINED), "p*")
    assert outcomes["p1"].error == "the state of p1 is unknown: old" and not outcomes["p1"].changed
    assert outcomes["p2"].reached
    assert pool.calls == [("p2", "drain (peaceful)")]


def test_one_that_hangs_does_not_keep_the_others() -> None:
    pool = FakePool(regular("p1"), regular("p2"))
    pool.broken["p1"] = NoAnswer("hung")
    outcomes = bring(pool, Goal(StartdGoal.OFF), "p*", wait=3)
    assert outcomes["p1"].error == "hung" and not outcomes["p1"].changed and not outcomes["p1"].reached
    assert outcomes["p2"].reached


def test_a_failure_that_passes_is_none() -> None:
    pool = FakePool(regular())
    pool.broken["p220"] = CondorError("for a moment")

    def sleep(seconds: float) -> None:
        pool.sleep(seconds)
        pool.broken.clear()

    everyone = pool.observe()
    outcome = reconcile(pool, everyone, everyone, Goal(StartdGoal.OFF), wait=9, sleep=sleep, clock=pool.clock)["p220"]
    assert outcome.reached and not outcome.error


def test_without_waiting_everything_is_sent_once_and_nothing_looked_at() -> None:
    pool = FakePool(regular("p1"), regular("p2"))
    outcomes = bring(pool, Goal(StartdGoal.DRAINED), "p*", wait=0)
    assert pool.looks == 1 and sorted(pool.calls) == [("p1", "drain (peaceful)"), ("p2", "drain (peaceful)")]
    assert all(outcome.changed and not outcome.reached for outcome in outcomes.values())


def test_check_mode_sends_nothing_and_foresees() -> None:
    pool = FakePool(flocking(state=State.ON, busy=1), regular(state=State.DRAINED))
    (outcome,) = bring(pool, Goal(StartdGoal.DRAINED, How.FAST), "f220", check=True).values()
    assert pool.calls == [] and outcome.reached
    assert [str(action) for action in outcome.actions] == ["close", "vacate (fast)"]
    assert (outcome.after.state, outcome.after.open_until, outcome.after.busy) == (State.DRAINED, 0, 0)


def test_an_ad_that_goes_away_is_unknown_and_no_success() -> None:
    pool = FakePool(regular(), lag=99)

    def sleep(seconds: float) -> None:
        pool.sleep(seconds)
        pool.startds.clear()

    everyone = pool.observe()
    outcome = reconcile(pool, everyone, everyone, Goal(StartdGoal.DRAINED), wait=3, sleep=sleep, clock=pool.clock)["p220"]
    assert not outcome.reached and "unknown" in outcome.error


@pytest.mark.parametrize(
    ("names", "found", "missing"),
    [
        (["p1"], ["p1"], []),
        (["p1.test"], ["p1"], []),
        (["p*", "f1"], ["p1", "p2", "f1"], []),
        (["P1", "x*"], [], ["P1", "x*"]),
        (["*"], ["f1", "p1", "p2"], []),
    ],
)
def test_names(names: list[str], found: list[str], missing: list[str]) -> None:
    everyone = FakePool(flocking("f1"), regular("p1"), regular("p2")).observe()
    chosen, unknown = select(names, everyone)
    assert sorted(chosen) == sorted(found) and unknown == missing
