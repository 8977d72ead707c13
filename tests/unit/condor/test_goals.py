"""What is done for which wish, in every state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import Goal, How, StartdGoal, conflicts, plan
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import Startd, State
from fake_condor import NOW, flocking, regular

ON, DRAINED, OFF = StartdGoal.ON, StartdGoal.DRAINED, StartdGoal.OFF


def actions(startd: Startd, goal: Goal, *others: Startd) -> tuple[list[str], bool, bool]:
    """What is planned, whether that is all there is to it, whether it is refused."""
    everyone = {each.name: each for each in (startd, *others)}
    made = plan(startd, goal, everyone, NOW)
    return [str(action) for action in made.actions], made.reached, bool(made.problem)


REST = ([], True, False)
WAIT = ([], False, False)
REFUSED = ([], False, True)


@pytest.mark.parametrize(
    ("state", "wanted", "how", "expected"),
    [
        (State.ON, ON, How.PEACEFUL, REST),
        (State.DRAINING, ON, How.PEACEFUL, (["cancel the drain"], False, False)),
        (State.DRAINED, ON, How.PEACEFUL, (["cancel the drain"], False, False)),
        (State.OFF, ON, How.PEACEFUL, (["start"], False, False)),
        (State.UNKNOWN, ON, How.PEACEFUL, REFUSED),
        (State.ON, DRAINED, How.PEACEFUL, (["drain (peaceful)"], False, False)),
        (State.ON, DRAINED, How.GRACEFUL, (["drain (graceful)"], False, False)),
        (State.ON, DRAINED, How.FAST, (["drain (fast)"], False, False)),
        (State.DRAINING, DRAINED, How.PEACEFUL, WAIT),
        (State.DRAINED, DRAINED, How.PEACEFUL, REST),
        (State.OFF, DRAINED, How.PEACEFUL, REST),
        (State.UNKNOWN, DRAINED, How.FAST, REFUSED),
        (State.ON, OFF, How.PEACEFUL, (["stop (peaceful)"], False, False)),
        (State.DRAINED, OFF, How.FAST, (["stop (fast)"], False, False)),
        (State.OFF, OFF, How.PEACEFUL, REST),
        (State.UNKNOWN, OFF, How.PEACEFUL, REFUSED),
    ],
)
def test_a_regular_startd(state: State, wanted: StartdGoal, how: How, expected: tuple[list[str], bool, bool]) -> None:
    assert actions(regular(state=state), Goal(wanted, how)) == expected


@pytest.mark.parametrize(
    ("startd", "wanted", "how", "expected"),
    [
        (flocking(), ON, How.PEACEFUL, (["open for 900 s"], False, False)),
        (flocking(state=State.ON, open_until=NOW + 451), ON, How.PEACEFUL, REST),
        (flocking(state=State.ON, open_until=NOW + 450), ON, How.PEACEFUL, (["open for 900 s"], False, False)),
        (flocking(state=State.DRAINING, busy=1), ON, How.PEACEFUL, (["open for 900 s"], False, False)),
        (flocking(state=State.OFF), ON, How.PEACEFUL, (["start"], False, False)),
        (
            flocking(state=State.DRAINED, drained_by_htcondor=True, drain_reason="sheepfold/9"),
            ON,
            How.PEACEFUL,
            (["cancel the drain", "open for 900 s"], False, False),
        ),
        (flocking(state=State.UNKNOWN), ON, How.PEACEFUL, REFUSED),
        (flocking(state=State.ON), DRAINED, How.PEACEFUL, (["close"], False, False)),
        (flocking(state=State.ON, busy=2), DRAINED, How.PEACEFUL, (["close"], False, False)),
        (flocking(state=State.ON, busy=2), DRAINED, How.FAST, (["close", "vacate (fast)"], False, False)),
        (flocking(state=State.DRAINING, busy=2), DRAINED, How.PEACEFUL, WAIT),
        (flocking(state=State.DRAINING, busy=2), DRAINED, How.GRACEFUL, (["vacate (graceful)"], False, False)),
        # The lease is over, but nothing newer than its end has been seen: closing makes a new ad.
        (flocking(state=State.DRAINING, open_until=NOW - 1), DRAINED, How.PEACEFUL, (["close"], False, False)),
        (flocking(), DRAINED, How.PEACEFUL, REST),
        (flocking(state=State.OFF), DRAINED, How.PEACEFUL, REST),
        (flocking(state=State.ON), OFF, How.PEACEFUL, (["stop (peaceful)"], False, False)),
    ],
)
def test_a_flocking_startd(startd: Startd, wanted: StartdGoal, how: How, expected: tuple[list[str], bool, bool]) -> None:
    assert actions(startd, Goal(wanted, how), regular(state=State.DRAINED)) == expected


@pytest.mark.parametrize("other", list(State))
def test_no_side_is_opened_while_the_other_is_not_empty(other: State) -> None:
    empty = other in (State.DRAINED, State.OFF)
    assert (actions(flocking(), Goal(ON), regular(state=other)) == REFUSED) is not empty
    # A container that nothing is known of keeps nobody from working locally.
    opens = empty or other is State.UNKNOWN
    assert (actions(regular(state=State.DRAINED), Goal(ON), flocking(state=other)) == REFUSED) is not opens
    assert actions(flocking(), Goal(ON, exclusive=False), regular(state=other))[0] == ["open for 900 s"]


def test_one_that_is_off_counts_as_closed_only_when_its_master_says_so() -> None:
    gone = {"state": State.OFF, "said_off": False}
    assert actions(flocking(), Goal(ON), regular(**gone)) == REFUSED
    assert actions(regular(state=State.DRAINED), Goal(ON), flocking(**gone)) == REFUSED
    assert actions(regular(**gone), Goal(DRAINED)) == actions(flocking(**gone), Goal(DRAINED)) == WAIT


def test_a_regular_startd_stays_closed_while_the_flocking_one_may_be_open_and_is_not_seen() -> None:
    drained = regular(state=State.DRAINED)
    young = replace(drained, blind="the collector listens only since 5 s (settled after 400 s)")
    for beside in ((), (flocking(state=State.UNKNOWN, open_until=0),), (flocking(state=State.UNKNOWN, open_until=NOW + 1),)):
        assert actions(young, Goal(ON), *beside) == REFUSED
    assert actions(young, Goal(ON), flocking()) == (["cancel the drain"], False, False)
    # A lease that runs by the last ad.
    assert actions(drained, Goal(ON), flocking(state=State.UNKNOWN, open_until=NOW + 1)) == REFUSED
    assert actions(drained, Goal(ON), flocking(state=State.UNKNOWN, open_until=NOW)) == (["cancel the drain"], False, False)
    assert actions(drained, Goal(ON)) == (["cancel the drain"], False, False)


def test_the_sides_find_each_other_whatever_their_names_capitals() -> None:
    here, there = regular("P220"), flocking(flock_host="p220", state=State.ON)
    assert actions(flocking(flock_host="p220"), Goal(ON), here) == REFUSED
    assert actions(regular("P220", State.DRAINED), Goal(ON), there) == REFUSED
    assert conflicts({"P220": here, "f220": there}) == ["f220"]


@pytest.mark.parametrize(
    ("offset", "lease", "opens"),
    [
        (0, 900, True),
        (-900, 900, True),
        (900, 900, True),
        (-3600, 900, False),
        (3600, 900, False),
        (-299, 20, True),
        (-301, 20, False),
    ],
)
def test_no_lease_is_given_by_a_clock_that_is_further_off_than_it_lasts(offset: int, lease: int, opens: bool) -> None:
    startd = flocking(clock_offset=offset)
    found = actions(startd, Goal(ON, lease=lease), regular(state=State.DRAINED))
    assert (found[0] == [f"open for {lease} s"]) is opens
    assert opens or found == REFUSED
    # Closing needs no clock.
    assert actions(replace(startd, state=State.ON, open_until=NOW + 9), Goal(DRAINED))[0] == ["close"]


def test_a_flocking_startd_whose_neighbour_is_not_known_stays_closed() -> None:
    assert actions(flocking(), Goal(ON)) == REFUSED
    assert actions(flocking(flock_host=""), Goal(ON), regular(state=State.DRAINED)) == REFUSED


def test_a_flocking_startd_that_is_off_is_started_and_judged_when_it_is_there() -> None:
    # Its master's ad need not say whose neighbour it is, and it comes up closed.
    assert actions(flocking(state=State.OFF, flock_host=""), Goal(ON), regular())[0] == ["start"]


def test_a_lease_is_not_renewed_while_the_other_side_is_open() -> None:
    assert actions(flocking(state=State.ON, open_until=NOW + 10), Goal(ON), regular()) == REFUSED
    assert actions(flocking(state=State.ON), Goal(ON), regular()) == REST


@pytest.mark.parametrize(
    ("reason", "force", "refused"),
    [("sheepfold/1", False, False), ("new disks", False, True), ("new disks", True, False), ("", False, True)],
)
def test_whose_drain_is_cancelled(reason: str, force: bool, refused: bool) -> None:
    startd = regular(state=State.DRAINED, drain_reason=reason)
    assert (actions(startd, Goal(ON, force=force)) == REFUSED) is refused


def test_conflicts() -> None:
    everyone = [regular("p1"), flocking("f1", State.ON), regular("p2", State.DRAINED), flocking("f2", State.ON), flocking("f3")]
    assert conflicts({each.name: each for each in everyone}) == ["f1"]
