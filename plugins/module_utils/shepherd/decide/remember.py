# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered of a node after a cycle, and the memory as text. Pure."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

from ...condor.goals import Verb
from ...condor.state import State
from ..model import Memory, NodeAction, NodeGoal, NodeMemory, PairState
from .node_view import NodeView

_HOME = (PairState.LOCAL, PairState.OFF, PairState.QUARANTINED)
_TIMES = {
    Verb.DRAIN: "drained_at",
    Verb.CANCEL_DRAIN: "cancelled_at",
    Verb.OPEN: "opened_at",
}

_NUMBERS = tuple(each.name for each in fields(NodeMemory) if each.name not in ("state", "wanted", "pending"))


def after(view: NodeView, wanted: NodeGoal | None, actions: tuple[NodeAction, ...], now: int) -> NodeMemory:
    """What is remembered of a node for which this was decided."""
    node = view.memory
    changes: dict[str, Any] = {}
    if node.state is not view.state:
        changes.update(state=view.state, since=now)
        if view.state in _HOME and node.state is not None and node.state not in (*_HOME, PairState.UNKNOWN):
            changes["returned_at"] = now
    if wanted is not None:
        changes["wanted"] = wanted
    going_back = wanted is NodeGoal.LOCAL and view.state in (PairState.FLOCK, PairState.DRAINING_FLOCK, PairState.CONFLICT)
    if going_back:
        changes["closed_at"] = node.closed_at or now
    elif wanted is not None:
        changes.update(closed_at=0, vacated_at=0)
    flocking = view.pair.flocking
    if flocking is not None and (flocking.state is State.ON or flocking.busy) and flocking.state is not State.UNKNOWN:
        changes["open_seen"] = max(node.open_seen, view.pair.flocking_heard)
    for action in actions:
        if action.verb in _TIMES:
            changes[_TIMES[action.verb]] = now
        elif action.verb is Verb.VACATE:
            changes["vacated_at"] = node.vacated_at or now
        changes.update(pending=action.verb, pending_at=now)
    # Most nodes of a big pool do not change: they cost nothing here.
    changes = {name: value for name, value in changes.items() if getattr(node, name) != value}
    return replace(node, **changes) if changes else node


def dump(memory: Memory) -> str:
    """The memory as JSON."""
    # Not dataclasses.asdict, which copies every value: with 10,000 nodes that is a third of a second in each cycle.
    nodes = {name: vars(node) for name, node in memory.nodes.items()}
    return json.dumps({**vars(memory), "nodes": nodes}, separators=(",", ":"))


def _node(values: dict[str, Any]) -> NodeMemory:
    state, wanted, pending = values.pop("state"), values.pop("wanted"), values.pop("pending")
    node = NodeMemory(
        **values,
        state=None if state is None else PairState(state),
        wanted=None if wanted is None else NodeGoal(wanted),
        pending=None if pending is None else Verb(pending),
    )
    if not all(type(getattr(node, name)) is int for name in _NUMBERS):
        raise ValueError("a number was expected")
    return node


def load(text: str) -> tuple[Memory, str]:
    """The memory from JSON, and what was wrong with it: then it is empty, which is always safe."""
    try:
        values = json.loads(text)
        nodes = {str(name): _node(dict(node)) for name, node in values.pop("nodes").items()}
        memory = Memory(**{**values, "missing": tuple(values["missing"])}, nodes=nodes)
        numbers = [getattr(memory, each.name) for each in fields(Memory) if each.name not in ("nodes", "missing")]
        numbers += memory.missing
        if not all(type(number) is int for number in numbers):
            raise ValueError("a number was expected")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Memory(), f"the memory of the last cycle cannot be read and is left aside: {error!r}"
    return memory, ""
