# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What state a node's two startds are in together, and what that is proof of. Pure.

The collector's ads lag behind, and a command of ours may still be under way: of this process, or of one that was killed a
moment ago. So a side counts as closed and empty only by an ad that can only have been made after the last command that opens it:
it was heard later, or it bears the mark of a later drain. With nothing remembered, everything may have been sent just before.

| regular, flocking | on | draining | drained | off | unknown, missing |
|---|---|---|---|---|---|
| on | conflict | conflict | local | local | unknown |
| draining by us | conflict | conflict | draining local | draining local | unknown |
| drained by us | flock | draining flock | draining local or flock | draining local or flock | unknown |
| draining by others | conflict | conflict | held | held | held |
| drained by others | held | held | held | held | held |
| off | off | off | off | off | off |
| unknown, missing | unknown | unknown | unknown | unknown | unknown |

Where both sides are closed and empty, what was wanted last says which way the node goes, and without that it goes back.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...condor.state import Startd, State
from ..config.settings import PolicySettings
from ..model import NodeGoal, NodeMemory, Override, Pair, PairState, drain_epoch


@dataclass(frozen=True)
class NodeView:
    """One pair with all that follows from its ads."""

    pair: Pair
    memory: NodeMemory
    state: PairState
    why: str
    """one sentence, empty where the state says it all"""
    local: bool
    """the regular side is seen open to local jobs"""
    sure_local: bool
    """and no drain of ours can be under way to it"""
    sure_empty: bool
    """the regular side is drained by us and empty, and no cancelling of ours can be under way to it"""
    sure_closed: bool
    """the flocking side is closed and empty, and no opening of ours can be under way to it"""
    off: Override | None = None
    """the override that switches lending off here"""

    @property
    def name(self) -> str:
        """The pair's name."""
        return self.pair.name


def heard_since(heard: int, at: int, now: int, settings: PolicySettings) -> bool:
    """Whether an ad shows what a command sent at ``at`` did. One from the future is from before the clock was set back."""
    return at + settings.lag <= heard <= now


def is_ours(regular: Startd) -> bool:
    """Whether its drain is ours."""
    return regular.drained_by_htcondor and drain_epoch(regular.drain_reason) > 0


def regular_is_local(pair: Pair, node: NodeMemory, now: int, settings: PolicySettings) -> bool:
    """Whether the regular side is open for sure."""
    if pair.regular is None or pair.regular.state is not State.ON:
        return False
    return heard_since(pair.regular_heard, max(node.drained_at, node.began), now, settings)


def regular_is_empty(pair: Pair, node: NodeMemory, now: int, settings: PolicySettings) -> bool:
    """Whether the regular side is closed by us and empty for sure."""
    if pair.regular is None or pair.regular.state is not State.DRAINED or not is_ours(pair.regular):
        return False
    opened = max(node.cancelled_at, node.began)
    return opened < drain_epoch(pair.regular.drain_reason) <= now or heard_since(pair.regular_heard, opened, now, settings)


def flock_is_closed(pair: Pair, node: NodeMemory, now: int, settings: PolicySettings) -> bool:
    """Whether the flocking side is closed and empty for sure.

    A lease that merely ran out does not count: it would run again if the node's clock were set back.
    """
    flocking = pair.flocking
    if flocking is None or flocking.busy:
        return False
    # One that is off has no lease any more.
    closed = flocking.closed and not (flocking.state is State.DRAINED and flocking.open_until)
    return closed and heard_since(pair.flocking_heard, max(node.opened_at, node.began), now, settings)


def _seen(startd: Startd | None) -> State:
    return State.UNKNOWN if startd is None else startd.state


def _unknown(pair: Pair) -> str:
    for side, startd in (("regular", pair.regular), ("flocking", pair.flocking)):
        if startd is None:
            return f"the collector has no ad of the {side} startd of {pair.name}"
        if startd.state is State.UNKNOWN:
            return f"the {side} startd {startd.name} is unknown: {startd.why}"
    return ""


def in_conflict(pair: Pair) -> bool:
    """Whether neither side is closed and empty, as far as both are seen."""
    closed = (State.DRAINED, State.OFF, State.UNKNOWN)
    return _seen(pair.regular) not in closed and _seen(pair.flocking) not in closed


def _physical(pair: Pair, node: NodeMemory, hold: Override | None) -> tuple[PairState, str]:
    regular, flocking = pair.regular, pair.flocking
    if in_conflict(pair) and regular and flocking:
        return PairState.CONFLICT, f"{regular.name} is {regular.state.value} while {flocking.name} is {flocking.state.value}"
    if hold is not None:
        return PairState.HELD, f"held by {hold.owner}: {hold.reason}"
    if regular is not None and regular.state is State.OFF:
        return PairState.OFF, f"the regular startd {regular.name} is off"
    if regular is not None and regular.drained_by_htcondor and not is_ours(regular):
        return PairState.HELD, f"{regular.name} was drained by somebody else: {regular.drain_reason or 'no reason given'}"
    why = _unknown(pair)
    if why or regular is None or flocking is None:
        return PairState.UNKNOWN, why
    if regular.state is State.ON:
        return PairState.LOCAL, ""
    if regular.state is State.DRAINING:
        return PairState.DRAINING_LOCAL, ""
    if flocking.state is State.ON:
        return PairState.FLOCK, ""
    if flocking.state is State.DRAINING or node.wanted is not NodeGoal.FLOCK:
        return PairState.DRAINING_FLOCK, ""
    return PairState.DRAINING_LOCAL, ""


def look(
    pair: Pair,
    node: NodeMemory,
    now: int,
    settings: PolicySettings,
    *,
    off: Override | None = None,
    hold: Override | None = None,
) -> NodeView:
    """What a pair is. ``off`` and ``hold``: the overrides that apply to it."""
    state, why = _physical(pair, node, hold)
    if state is PairState.LOCAL and off is not None:
        state, why = PairState.OFF, f"switched off by {off.owner}: {off.reason}"
    elif state is PairState.LOCAL and node.quarantined_until > now:
        state = PairState.QUARANTINED
        why = f"too many commands to it failed in a row; it is left for another {node.quarantined_until - now} s"
    return NodeView(
        pair=pair,
        memory=node,
        state=state,
        why=why,
        local=_seen(pair.regular) is State.ON,
        sure_local=regular_is_local(pair, node, now, settings),
        sure_empty=regular_is_empty(pair, node, now, settings),
        sure_closed=flock_is_closed(pair, node, now, settings),
        off=off,
    )
