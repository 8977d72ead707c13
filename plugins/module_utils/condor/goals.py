# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do so that a startd becomes what it is wanted to be. Pure.

| wanted, seen | on | draining | drained | off |
|---|---|---|---|---|
| on, regular | nothing | cancel the drain | cancel the drain | start |
| on, flocking | renew below half of the lease | open | open | start, then open |
| drained, regular | drain | wait | nothing | wait until its master says so |
| drained, flocking | close | close; vacate unless peaceful | nothing | wait until its master says so |
| off | stop | stop | stop | nothing |

Unknown is never acted upon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from .state import Startd, State

AD_AGE = 300
"""seconds by which a clock may seem to be off because of an ad that was made a while before it was sent"""


class StartdGoal(str, Enum):
    """What a startd can be wanted to be."""

    ON = "on"
    DRAINED = "drained"
    OFF = "off"


class How(str, Enum):
    """What becomes of the jobs that run."""

    PEACEFUL = "peaceful"
    """they run to their end, however long that takes"""
    GRACEFUL = "graceful"
    """they get what MAXJOBRETIREMENTTIME (0 by default) and their own vacate time allow"""
    FAST = "fast"
    """they are killed"""


class Verb(str, Enum):
    """A thing to do to a startd."""

    DRAIN = "drain"
    CANCEL_DRAIN = "cancel the drain"
    START = "start"
    STOP = "stop"
    OPEN = "open"
    CLOSE = "close"
    VACATE = "vacate"


@dataclass(frozen=True)
class StartdCommand:
    """One thing to do."""

    verb: Verb
    how: How = How.PEACEFUL
    lease: int = 0
    """of OPEN: for how many seconds"""

    def __str__(self) -> str:
        """For people and for results."""
        if self.verb is Verb.OPEN:
            return f"open for {self.lease} s"
        return f"{self.verb.value} ({self.how.value})" if self.verb in (Verb.DRAIN, Verb.STOP, Verb.VACATE) else self.verb.value


@dataclass(frozen=True)
class Goal:
    """What the user wants of the startds named."""

    wanted: StartdGoal
    how: How = How.PEACEFUL
    lease: int = 900
    """seconds a flocking startd stays open"""
    reason: str = "sheepfold"
    """what our drains bear; those of others are left alone"""
    force: bool = False
    """cancel others' drains too"""
    exclusive: bool = True
    """never let jobs start on both startds of a host"""


@dataclass(frozen=True)
class CommandPlan:
    """What is to be done to one startd now."""

    actions: tuple[StartdCommand, ...] = ()
    reached: bool = False
    """nothing to do and nothing to wait for"""
    problem: str = ""
    """why nothing may be done, one sentence"""


def _unseen(startd: Startd, other: Startd | None, now: int) -> str:
    """Why a regular startd must not be opened beside a flocking one that nothing is known of."""
    if startd.blind:
        return f"{startd.name} must not be opened: nothing is known of the flocking startd beside it, {startd.blind}"
    if other is not None and other.open_until > now:
        return (
            f"{startd.name} must not be opened: nothing new is known of the flocking startd {other.name} beside it "
            f"({other.why}), and it is open for another {other.open_until - now} s"
        )
    # A container that is gone altogether keeps nobody from working locally.
    return ""


def _conflict(startd: Startd, everyone: Mapping[str, Startd], now: int) -> str:
    """Why this startd must not be opened because of the other one of its host."""
    if startd.flocking:
        if not startd.flock_host:
            return f"{startd.name} does not say beside which regular startd it runs (FlockHost is not in its ad)"
        beside = startd.flock_host.lower()
        other = next((each for key, each in everyone.items() if not each.flocking and beside == key.lower()), None)
        if other is None:
            return f"{startd.name} must not be opened: nothing is known of the regular startd {startd.flock_host} beside it"
        side = "regular"
    else:
        own = startd.name.lower()
        other = next((each for each in everyone.values() if each.flocking and each.flock_host.lower() == own), None)
        side = "flocking"
        if other is None or other.state is State.UNKNOWN:
            return _unseen(startd, other, now)
    if other.closed:
        return ""
    seen = other.state.value + (f" ({other.why})" if other.why else "")
    return f"{startd.name} must not be opened: the {side} startd {other.name} beside it is {seen}, not drained or off"


def _plan_on(startd: Startd, goal: Goal, now: int) -> CommandPlan:
    if startd.state is State.OFF:
        return CommandPlan((StartdCommand(Verb.START),))
    actions = []
    if startd.drained_by_htcondor:
        if not goal.force and not startd.drain_reason.startswith(goal.reason):
            return CommandPlan(
                problem=f"{startd.name} was drained by somebody else (its reason is {startd.drain_reason!r}, ours begin with "
                f"{goal.reason!r}); force is needed to cancel that"
            )
        actions.append(StartdCommand(Verb.CANCEL_DRAIN))
    if startd.flocking and startd.open_until - now <= goal.lease / 2:
        if abs(startd.clock_offset) > max(goal.lease, AD_AGE):
            return CommandPlan(
                problem=f"the clock of {startd.name} is {startd.clock_offset} s off, and a lease lasts {goal.lease} s: "
                "it would not end when it is to"
            )
        actions.append(StartdCommand(Verb.OPEN, lease=goal.lease))
    return CommandPlan(tuple(actions), reached=not actions)


def _plan_drained(startd: Startd, goal: Goal, now: int) -> CommandPlan:
    if startd.closed:
        return CommandPlan(reached=True)
    if startd.state is State.OFF:
        return CommandPlan()
    if not startd.flocking:
        # A drain that is under way is left as it is: HTCondor takes no second one.
        return CommandPlan() if startd.drained_by_htcondor else CommandPlan((StartdCommand(Verb.DRAIN, goal.how),))
    actions = []
    if startd.open_until:
        # Also when the lease has run out: the answer is an ad that was made after its end.
        actions.append(StartdCommand(Verb.CLOSE))
    if goal.how is not How.PEACEFUL and startd.busy:
        actions.append(StartdCommand(Verb.VACATE, goal.how))
    return CommandPlan(tuple(actions))


def plan(startd: Startd, goal: Goal, everyone: Mapping[str, Startd], now: int) -> CommandPlan:
    """What is to be done to ``startd``; ``now`` in epoch seconds."""
    if startd.state is State.UNKNOWN:
        return CommandPlan(problem=f"the state of {startd.name} is unknown: {startd.why}")
    if goal.wanted is StartdGoal.ON:
        wanted = _plan_on(startd, goal, now)
        # A flocking startd comes up closed, and may say only then whose neighbour it is. Nothing is undone by an
        # unchanged run; but what is not open yet, or would be renewed, must not be.
        comes_up_closed = startd.flocking and startd.state is State.OFF
        conflict = _conflict(startd, everyone, now) if goal.exclusive and wanted.actions and not comes_up_closed else ""
        return CommandPlan(problem=conflict) if conflict else wanted
    if goal.wanted is StartdGoal.DRAINED:
        return _plan_drained(startd, goal, now)
    return CommandPlan(reached=True) if startd.state is State.OFF else CommandPlan((StartdCommand(Verb.STOP, goal.how),))


def conflicts(everyone: Mapping[str, Startd]) -> list[str]:
    """Names of flocking startds on which jobs may start while they may on the regular one of the same host."""
    regular = {key.lower(): startd for key, startd in everyone.items() if not startd.flocking}
    return sorted(
        startd.name
        for startd in everyone.values()
        if startd.flocking
        and startd.state is State.ON
        and startd.flock_host.lower() in regular
        and regular[startd.flock_host.lower()].state is State.ON
    )
