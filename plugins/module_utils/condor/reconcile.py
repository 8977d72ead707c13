# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring startds where they are wanted, and look until they are seen there.

An answer from HTCondor says that a command arrived, and often not even that: only what is observed afterwards counts.
So this is a loop of looking, planning and acting; nothing is remembered but what was sent already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from .adapter import Adapter
from .errors import CondorError, NotEmpty
from .goals import CommandPlan, Goal, StartdCommand, StartdGoal, Verb, plan
from .state import Startd, State

_AT_ONCE = 8
_POLL = 1.0


@dataclass
class StartdOutcome:
    """What became of one startd."""

    before: Startd
    after: Startd
    actions: list[StartdCommand] = field(default_factory=list)
    """what was sent, or in check mode would be"""
    reached: bool = False
    error: str = ""
    """the last thing that went wrong, one sentence"""
    _tried: set[StartdCommand] = field(default_factory=set)

    @property
    def changed(self) -> bool:
        """Whether something was sent that HTCondor took."""
        return bool(self.actions)


def select(names: Sequence[str], everyone: Mapping[str, Startd]) -> tuple[dict[str, Startd], list[str]]:
    """The startds that patterns name (by host name with or without domain), and the patterns that name none."""
    chosen: dict[str, Startd] = {}
    missing = []
    for pattern in names:
        found = {
            key: startd
            for key, startd in everyone.items()
            if any(fnmatchcase(name, pattern) for name in (key, startd.name, startd.machine))
        }
        chosen.update(found)
        if not found:
            missing.append(pattern)
    return chosen, missing


def predict(startd: Startd, actions: Sequence[StartdCommand], goal: Goal, now: int) -> Startd:
    """What a startd is after actions that all come to pass: check mode's answer."""
    if not actions:
        return startd
    state = {StartdGoal.ON: State.ON, StartdGoal.DRAINED: State.DRAINED, StartdGoal.OFF: State.OFF}[goal.wanted]
    open_until = startd.open_until
    if goal.wanted is not StartdGoal.ON:
        open_until = 0
    elif startd.flocking:
        open_until = now + goal.lease
    drained = goal.wanted is StartdGoal.DRAINED and not startd.flocking
    return replace(
        startd,
        state=state,
        open_until=open_until,
        busy=startd.busy if goal.wanted is StartdGoal.ON else 0,
        drained_by_htcondor=drained,
        drain_reason=goal.reason if drained else "",
    )


def _act(adapter: Adapter, outcome: StartdOutcome, wanted: CommandPlan, goal: Goal) -> None:
    for action in wanted.actions:
        if action in outcome._tried:
            continue
        try:
            adapter.act(outcome.after, action, goal)
        except NotEmpty as error:
            # The next look may find it empty: this one is tried again.
            outcome.error = str(error)
            return
        except CondorError as error:
            outcome.error = str(error)
            return
        outcome._tried.add(action)
        outcome.actions.append(action)
        outcome.error = ""
        if action.verb is Verb.START:
            # What it is to be opened for has to be there first.
            return


def _look(adapter: Adapter, outcomes: Mapping[str, StartdOutcome]) -> Mapping[str, Startd]:
    everyone = adapter.observe()
    for key, outcome in outcomes.items():
        seen = everyone.get(key)
        if seen is not None:
            outcome.after = seen
        else:
            why = "neither its ad nor its master's is there any more"
            outcome.after = replace(outcome.after, state=State.UNKNOWN, why=why)
    return everyone


def reconcile(
    adapter: Adapter,
    chosen: Mapping[str, Startd],
    everyone: Mapping[str, Startd],
    goal: Goal,
    *,
    wait: float,
    check: bool = False,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] | None = None,
) -> dict[str, StartdOutcome]:
    """Bring ``chosen`` to ``goal``, and look for up to ``wait`` seconds until all are seen there (0: only send).

    With ``check`` nothing is sent. Nor is anything to a startd that must not be touched: its outcome says why. Raises
    CondorError when the collector stops answering.
    """
    clock = clock or time.monotonic
    outcomes = {key: StartdOutcome(startd, startd) for key, startd in chosen.items()}
    plans = {key: plan(outcome.after, goal, everyone, adapter.now()) for key, outcome in outcomes.items()}
    for key, outcome in outcomes.items():
        outcome.error, outcome.reached = plans[key].problem, plans[key].reached
        if check and not outcome.error:
            outcome.actions = list(plans[key].actions)
            outcome.after = predict(outcome.before, outcome.actions, goal, adapter.now())
            outcome.reached = True
    if check:
        return outcomes
    refused = {key for key, outcome in outcomes.items() if outcome.error}
    until = clock() + wait
    while True:
        todo = [(outcome, plans[key]) for key, outcome in outcomes.items() if not outcome.reached and key not in refused]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda each: _act(adapter, each[0], each[1], goal), todo))
        if not todo or not wait or clock() >= until:
            return outcomes
        sleep(_POLL)
        everyone = _look(adapter, outcomes)
        for key, outcome in outcomes.items():
            if key in refused:
                continue
            plans[key] = plan(outcome.after, goal, everyone, adapter.now())
            outcome.reached = plans[key].reached
            if plans[key].problem:
                # Unknown for a moment, for instance while its ad is replaced: looked at again until the time is up.
                outcome.error = plans[key].problem
            elif outcome.reached:
                outcome.error = ""
