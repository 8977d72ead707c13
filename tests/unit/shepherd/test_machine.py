"""The state machine holds, and finds each of a list of planted bugs."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from machine import Shepherd
from planted import BUGS, Bug, led

FULL = os.environ.get("SHEEPFOLD_FULL") == "1"
COMMON: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "stateful_step_count": 40,
    "print_blob": False,
}


# In parts: what Hypothesis remembers of its runs grows with them.
@pytest.mark.parametrize("part", range(10 if FULL else 1))
def test_the_rules_hold_whatever_happens(part: int) -> None:
    run_state_machine_as_test(Shepherd, settings=settings(max_examples=1000 if FULL else 60, derandomize=not FULL, **COMMON))


def test_what_somebody_else_began_is_excused_until_it_is_over() -> None:
    """Found by chance in 20,000 runs: somebody cancels our drain, a local job starts, and somebody drains the node again."""
    found = Shepherd()
    found.begin(cores=[1], reserve=0.0, policy="balance", watch=False, warm=2, phase=0, patience=1)
    found.late_ads(ahead=0, before=0, jobs=0, kept=False, step=0, seconds=10, leak=False, which=0)
    for step in (found.somebody_cancels, lambda which: found.jobs_start(which, 1), found.somebody_drains):
        step(0)
        found.never_both_sides()
    assert found.node(0).excused


def test_a_lease_given_by_a_clock_that_was_ahead_lasts_so_much_longer() -> None:
    """Found by chance in 10,000 runs: the clock is set forward, a lease is renewed, the clock is set back, the shepherd dies."""
    found = Shepherd()
    found.begin(cores=[1] * 5, reserve=0.0, policy="balance", watch=True, warm=0, phase=0, patience=1)
    found.clock_is_set(-800)
    found.pause(ahead=0, kept=True, seconds=2500)
    found.clock_is_set(2_000)
    found.nodes_clock_is_set(which=4, step=500)
    found.pause(ahead=3, kept=False, seconds=20)
    assert any(found.world.flock_open(node) for node in found.world.nodes.values())
    found.clock_is_set(-20_000)
    found.teardown()


def test_a_collector_started_by_a_clock_that_was_ahead_grows_old() -> None:
    """Found by chance in 10,000 runs: everything was held until the hour at which it was started by that clock."""
    found = Shepherd()
    found.begin(cores=[1], reserve=0.0, policy="balance", watch=False, warm=2, phase=0, patience=1)
    assert not found.world.regular_open(found.node(0))
    found.container_stops(0)
    found.clock_is_set(20_000)
    found.collector_restarts()
    found.clock_is_set(-20_000)
    found.teardown()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bug.where, bug.attribute, bug.instead)
    # The first failure is enough: no shrinking.
    once = settings(max_examples=2000, derandomize=True, phases=[Phase.generate], report_multiple_bugs=False, **COMMON)
    with pytest.raises(AssertionError) as raised:
        run_state_machine_as_test(led(Shepherd, bug), settings=once)
    assert any(words in str(raised.value) for words in bug.found), raised.value
