# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The next step of one node towards what it is wanted for. Pure.

The two rules that keep both sides from being open at once are here: the flocking side is opened only beside a regular side that
is seen drained by us and empty, and the drain is cancelled only beside a flocking side that is seen closed and empty.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...condor import goals
from ...condor.goals import How, Verb
from ...condor.state import Startd, State
from ..config.settings import PolicySettings
from ..model import NodeAction, NodeGoal, PairState, Stage, drain_reason
from . import eligibility, reclaim
from .node_view import NodeView
from .plural import amount


@dataclass(frozen=True)
class Step:
    """What is done to a node now."""

    reason: str
    actions: tuple[NodeAction, ...] = ()
    lost: float = 0.0
    """core hours of foreign jobs that this throws away"""


def _do(view: NodeView, startd: Startd, verb: Verb, how: How = How.PEACEFUL, *, lease: int = 0, reason: str = "") -> NodeAction:
    return NodeAction(view.name, startd, goals.StartdCommand(verb, how, lease), reason)


def _evict(view: NodeView, flocking: Startd, now: int, settings: PolicySettings, *, hurry: bool, hold: bool) -> Step:
    """What the foreign jobs on a node that is closed, or is being closed, are told."""
    reached = reclaim.stage(view.pair, view.memory, now, settings, hurry=hurry)
    jobs = amount(flocking.busy, "foreign job")
    if reached is Stage.GRACEFUL:
        until = reclaim.all_due(view.pair, view.memory.closed_at or now, settings) - now
        return Step(f"{jobs} may run for up to {until} s more")
    if hold and not hurry:
        return Step(f"the time of {jobs} is up, but everything is held")
    how = How.FAST if reached is Stage.FAST else How.GRACEFUL
    told = "killed" if reached is Stage.FAST else "asked to end"
    return Step(
        f"{told}: {jobs}",
        (_do(view, flocking, Verb.VACATE, how),),
        lost=reclaim.core_hours(view.pair.jobs, now),
    )


def _close(view: NodeView, flocking: Startd, now: int, settings: PolicySettings, *, hurry: bool, hold: bool) -> Step:
    """Close the flocking side, and see its jobs off. Always safe."""
    close = (_do(view, flocking, Verb.CLOSE),) if flocking.open_until else ()
    if flocking.busy and (hurry or not close):
        rest = _evict(view, flocking, now, settings, hurry=hurry, hold=hold)
        return Step(rest.reason, close + rest.actions, rest.lost)
    if close:
        return Step(f"{flocking.name} is closed to new jobs", close)
    return Step(f"waits until an ad that is new enough shows {flocking.name} closed and empty")


def _back(
    view: NodeView, regular: Startd, flocking: Startd, now: int, settings: PolicySettings, *, hurry: bool, hold: bool
) -> Step:
    if view.sure_closed:
        return Step(f"{flocking.name} is closed and empty: local jobs may start", (_do(view, regular, Verb.CANCEL_DRAIN),))
    return _close(view, flocking, now, settings, hurry=hurry, hold=hold)


def _open(view: NodeView, flocking: Startd, settings: PolicySettings) -> NodeAction:
    return _do(view, flocking, Verb.OPEN, lease=settings.lease)


def _out(view: NodeView, regular: Startd, flocking: Startd, now: int, settings: PolicySettings, *, hold: bool) -> Step:
    if view.state is PairState.FLOCK:
        if flocking.open_until - now > settings.lease - settings.cycle // 2:
            return Step(f"open to foreign jobs for another {flocking.open_until - now} s")
        return Step("stays open to foreign jobs: its lease is renewed", (_open(view, flocking, settings),))
    if hold:
        return Step("held on its way")
    if view.state is PairState.LOCAL:
        # The startd itself looks whether it is empty before it begins: no running local job is ever harmed.
        drain = _do(view, regular, Verb.DRAIN, reason=drain_reason(now))
        return Step(f"{regular.name} is drained, since it is empty", (drain,))
    if view.state is PairState.DRAINING_FLOCK and flocking.busy:
        return Step("turns round: it is opened to foreign jobs again", (_open(view, flocking, settings),))
    if not view.sure_empty:
        return Step(f"waits until an ad that is new enough shows {regular.name} drained and empty")
    if flocking.state is State.OFF:
        return Step(f"{flocking.name} is started; it comes up closed", (_do(view, flocking, Verb.START),))
    return Step(f"{regular.name} is drained and empty: foreign jobs may start", (_open(view, flocking, settings),))


def _left_alone(view: NodeView, flocking: Startd | None) -> Step:
    if view.off is not None and flocking is not None and flocking.open_until and flocking.state is not State.UNKNOWN:
        return Step(f"{view.why}; switched off, so that {flocking.name} is closed", (_do(view, flocking, Verb.CLOSE),))
    return Step(view.why)


def _at_home(view: NodeView, flocking: Startd) -> Step:
    if flocking.open_until and flocking.state is not State.UNKNOWN:
        # It ran out; but set back, the node's clock would make it run again.
        return Step(f"the lease of {flocking.name} is taken away", (_do(view, flocking, Verb.CLOSE),))
    return Step(view.why)


def step(view: NodeView, wanted: NodeGoal | None, now: int, settings: PolicySettings, *, hold: bool) -> Step:
    """What is done. ``hold``: everything is frozen."""
    regular, flocking = view.pair.regular, view.pair.flocking
    if view.state is PairState.CONFLICT and flocking is not None:
        made = _close(view, flocking, now, settings, hurry=True, hold=hold)
        return Step(f"{view.why}: local work comes first; {made.reason}", made.actions, made.lost)
    if wanted is None or regular is None or flocking is None:
        return _left_alone(view, flocking)
    if wanted is NodeGoal.LOCAL and view.state in (PairState.LOCAL, PairState.OFF, PairState.QUARANTINED):
        made = _at_home(view, flocking)
    elif wanted is NodeGoal.LOCAL:
        hurry = eligibility.leaks(view.pair) or (view.off is not None and view.off.evict)
        made = _back(view, regular, flocking, now, settings, hurry=hurry, hold=hold)
    else:
        made = _out(view, regular, flocking, now, settings, hold=hold)
    if made.actions and view.memory.retry_at > now:
        return Step(f"{view.memory.failures} commands to it failed in a row; next try in {view.memory.retry_at - now} s")
    return made
