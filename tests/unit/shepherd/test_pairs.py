"""What two startds are together, and what their ads prove."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import State
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide.node_view import look
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import (
    NodeGoal,
    NodeMemory,
    Override,
    OverrideKind,
    PairState,
    drain_epoch,
    drain_reason,
)
from fake_condor import NOW
from pool_of import OLD, SETTINGS, pair, seen

S, P = State, PairState
THEIRS = "new disks"


@pytest.mark.parametrize(
    ("local", "reason", "states"),
    [
        # flocking side: on, draining, drained, off, unknown, missing
        (S.ON, "", [P.CONFLICT, P.CONFLICT, P.LOCAL, P.LOCAL, P.UNKNOWN, P.UNKNOWN]),
        (S.DRAINING, "", [P.CONFLICT, P.CONFLICT, P.DRAINING_LOCAL, P.DRAINING_LOCAL, P.UNKNOWN, P.UNKNOWN]),
        (S.DRAINED, "", [P.FLOCK, P.DRAINING_FLOCK, P.DRAINING_FLOCK, P.DRAINING_FLOCK, P.UNKNOWN, P.UNKNOWN]),
        (S.DRAINING, THEIRS, [P.CONFLICT, P.CONFLICT, P.HELD, P.HELD, P.HELD, P.HELD]),
        (S.DRAINED, THEIRS, [P.HELD] * 6),
        (S.OFF, "", [P.OFF] * 6),
        (S.UNKNOWN, "", [P.UNKNOWN] * 6),
        (None, "", [P.UNKNOWN] * 6),
    ],
)
def test_states(local: State | None, reason: str, states: list[PairState]) -> None:
    others: list[State | None] = [S.ON, S.DRAINING, S.DRAINED, S.OFF, S.UNKNOWN, None]
    facts = {"reason": reason} if reason else {}
    assert [seen(pair(local=local, flock=other, **facts)).state for other in others] == states  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "state"), [(NodeGoal.FLOCK, P.DRAINING_LOCAL), (NodeGoal.LOCAL, P.DRAINING_FLOCK), (None, P.DRAINING_FLOCK)]
)
def test_which_way_a_node_goes_that_is_closed_on_both_sides(wanted: NodeGoal | None, state: PairState) -> None:
    assert seen(pair(local=S.DRAINED), replace(OLD, wanted=wanted)).state is state


def test_overlays() -> None:
    off, hold = Override(OverrideKind.OFF, "alice", "x"), Override(OverrideKind.HOLD, "bob", "y")
    quarantined = replace(OLD, quarantined_until=NOW + 60, failures=5)
    assert seen(pair(), off=off).state is P.OFF
    assert seen(pair(), quarantined).state is P.QUARANTINED
    assert seen(pair(), replace(quarantined, quarantined_until=NOW)).state is P.LOCAL
    assert seen(pair(local=S.DRAINED, flock=S.ON), quarantined, off=off).state is P.FLOCK
    assert seen(pair(), off=off, hold=hold).state is P.HELD
    # Not even a hold lets both sides work.
    assert seen(pair(flock=S.ON), hold=hold).state is P.CONFLICT


@pytest.mark.parametrize(
    ("began", "cancelled", "epoch", "heard", "proof"),
    [
        # The drain is younger than all that we did since: its own mark proves it.
        (NOW - 900, 0, NOW - 300, NOW - 299, True),
        (NOW - 900, NOW - 400, NOW - 300, 0, True),
        # Cancelled after it was begun, perhaps: a newer ad has to show it still there.
        (NOW - 900, NOW - 300, NOW - 400, NOW - 299, False),
        (NOW - 900, NOW - 300, NOW - 400, NOW - 241, False),
        (NOW - 900, NOW - 300, NOW - 400, NOW - 240, True),
        # Nothing is remembered: it may have been cancelled a moment ago.
        (NOW, 0, NOW - 300, NOW - 1, False),
        (NOW - 100, 0, NOW - 300, NOW - 1, True),
        # Marked, or heard, by a clock that was ahead.
        (NOW - 900, 0, NOW + 50, NOW - 900, False),
        (NOW - 900, NOW - 300, NOW - 400, NOW + 1, False),
    ],
)
def test_when_the_regular_side_is_empty_for_sure(began: int, cancelled: int, epoch: int, heard: int, proof: bool) -> None:
    each = pair(local=S.DRAINED, reason=drain_reason(epoch), regular_heard=heard)
    assert seen(each, NodeMemory(began=began, cancelled_at=cancelled)).sure_empty is proof


def test_only_a_drain_of_ours_that_is_over_is_empty() -> None:
    assert not seen(pair(local=S.DRAINING)).sure_empty
    assert not seen(pair(local=S.DRAINED, reason=THEIRS)).sure_empty
    assert not seen(pair(local=S.OFF)).sure_empty
    assert not seen(pair(local=None)).sure_empty


@pytest.mark.parametrize(
    ("flock", "lease", "busy", "opened", "heard", "proof"),
    [
        (S.DRAINED, 0, 0, 0, NOW, True),
        (S.OFF, 0, 0, 0, NOW, True),
        (S.DRAINED, 0, 0, NOW - 100, NOW - 41, False),
        (S.DRAINED, 0, 0, NOW - 100, NOW - 40, True),
        (S.OFF, 0, 0, NOW - 100, NOW - 41, False),
        (S.DRAINED, 0, 0, 0, NOW + 1, False),
        # It ran out, but nobody took it away.
        (S.DRAINED, NOW - 50, 0, 0, NOW, False),
        (S.DRAINED, 0, 1, 0, NOW, False),
        (S.DRAINING, 0, 0, 0, NOW, False),
        (S.ON, NOW + 50, 0, 0, NOW, False),
        (S.UNKNOWN, 0, 0, 0, NOW, False),
        (None, 0, 0, 0, NOW, False),
    ],
)
def test_when_the_flocking_side_is_closed_for_sure(
    *, flock: State | None, lease: int, busy: int, opened: int, heard: int, proof: bool
) -> None:
    each = pair(flock=flock, flock_facts={"open_until": lease, "busy": busy}, flocking_heard=heard)
    assert look(each, replace(OLD, opened_at=opened), NOW, SETTINGS).sure_closed is proof


def test_when_the_regular_side_is_local_for_sure() -> None:
    assert seen(pair()).sure_local
    assert not seen(pair(), NodeMemory(began=NOW)).sure_local
    assert not seen(pair(), replace(OLD, drained_at=NOW - 50)).sure_local
    assert seen(pair(), replace(OLD, drained_at=NOW - 70)).sure_local
    assert not seen(pair(local=S.DRAINED)).sure_local


@pytest.mark.parametrize(
    ("reason", "epoch"),
    [
        ("shepherd/17:flock", 17),
        (drain_reason(NOW), NOW),
        ("shepherd/17:other", 0),
        ("shepherd/:flock", 0),
        ("shepherd/-3:flock", 0),
        ("shepherd/²:flock", 0),
        ("sheepfold/17", 0),
        ("", 0),
    ],
)
def test_whose_drain_it_is(reason: str, epoch: int) -> None:
    assert drain_epoch(reason) == epoch
