# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One cycle: from what is seen, the settings and what is remembered to what is done and why. Pure and thin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..config.settings import PolicySettings
from ..model import Decision, Decisions, Memory, NodeGoal, NodeMemory, Override, OverrideKind, PoolSnapshot
from . import (
    clock,
    failures,
    freeze,
    node_view,
    overrides,
    policy_balance,
    policy_threshold,
    pool_view,
    reasons,
    remember,
    reserve,
    selection,
    transitions,
)
from .demand import measure
from .node_view import NodeView
from .policy_request import Direction, PolicyRequest
from .pool_view import PoolView


def _learn(snapshot: PoolSnapshot, memory: Memory, settings: PolicySettings, jitter: failures.Jitter) -> Memory:
    """What the results of the last cycle's commands and the ads since say about the nodes."""
    now, results = snapshot.taken, failures.by_node(snapshot.results)
    nodes, outcomes = {}, []
    for pair in snapshot.pairs:
        node = memory.nodes.get(pair.name) or NodeMemory(began=now)
        happened = failures.outcome(pair, node, results.get(pair.name), now, settings)
        nodes[pair.name] = failures.after(pair.name, node, happened, now, settings, jitter=jitter)
        outcomes.append(happened)
    if failures.breaks(outcomes, settings):
        memory = replace(memory, breaker_until=now + settings.breaker_hold)
    return replace(memory, nodes=nodes)


def _look(snapshot: PoolSnapshot, memory: Memory, settings: PolicySettings, standing: Sequence[Override]) -> tuple[NodeView, ...]:
    return tuple(
        node_view.look(
            pair,
            memory.nodes[pair.name],
            snapshot.taken,
            settings,
            off=overrides.for_node(standing, pair.name, OverrideKind.OFF),
            hold=overrides.for_node(standing, pair.name, OverrideKind.HOLD),
        )
        for pair in snapshot.pairs
    )


def _see(snapshot: PoolSnapshot, views: tuple[NodeView, ...], settings: PolicySettings, frozen: tuple[str, ...]) -> PoolView:
    return PoolView(
        now=snapshot.taken,
        settings=settings,
        views=views,
        heading={view.name: pool_view.heading(view, snapshot.taken, settings) for view in views},
        size=reserve.sizes(views),
        reserve=reserve.divide(views, settings),
        demand=measure(snapshot, views, settings),
        frozen=frozen,
    )


def _wish(seen: PoolView, memory: Memory) -> PolicyRequest:
    if seen.frozen:
        return PolicyRequest(Direction.STAY, "everything is held: " + "; ".join(seen.frozen))
    if seen.settings.policy == "threshold":
        wished = policy_threshold.wish(seen.demand, seen.settings)
    else:
        wished = policy_balance.wish(seen.demand, seen.coming(useful=True), len(seen.views), memory, seen.settings)
    if wished.way is Direction.OUT and memory.breaker_until > seen.now:
        left = memory.breaker_until - seen.now
        return PolicyRequest(Direction.STAY, f"too many commands failed: nothing more is lent for {left} s ({wished.why})")
    return wished


def _move(seen: PoolView, wished: PolicyRequest) -> tuple[dict[str, NodeGoal | None], set[str]]:
    """Where every node is to go now, and which ones the policy or the reserve has moved."""
    if seen.frozen:
        return dict(seen.heading), set()
    back = dict.fromkeys(selection.returning(wished, seen), NodeGoal.LOCAL)
    out = dict.fromkeys(selection.outgoing(wished, seen), NodeGoal.FLOCK)
    return {**seen.heading, **back, **out}, {*back, *out}


def decide(
    snapshot: PoolSnapshot, settings: PolicySettings, memory: Memory, jitter: failures.Jitter | None = None
) -> tuple[Decisions, Memory]:
    """What is done in this cycle, and what is to be remembered of it.

    The memory has to be saved before the actions are sent; what became of them goes into the next snapshot. ``jitter`` spreads
    the tries after failures.
    """
    now = snapshot.taken
    set_back, memory = clock.check(snapshot, memory, settings)
    frozen, memory = freeze.check(snapshot, memory, settings, set_back)
    memory = _learn(snapshot, memory, settings, jitter or failures.seeded(""))
    standing = overrides.in_force(snapshot.overrides, now)
    seen = _see(snapshot, _look(snapshot, memory, settings, standing), settings, frozen)
    if not frozen:
        memory = policy_balance.count(seen.demand, memory, settings)
    wished = _wish(seen, memory)
    wanted, moved = _move(seen, wished)

    made, nodes, lost = [], {}, 0.0
    for view in seen.views:
        step = transitions.step(view, wanted[view.name], now, settings, hold=bool(frozen))
        node = remember.after(view, wanted[view.name], step.actions, now)
        reason = reasons.reason(view, step, wished, seen, moved=view.name in moved)
        facts = reasons.facts(view, step, now)
        made.append(Decision(view.name, view.state, wanted[view.name], reason, step.actions, node.since, facts))
        nodes[view.name] = node
        lost += step.lost
    off = overrides.for_node(standing, "", OverrideKind.OFF)
    cycle = replace(reasons.cycle(seen, wished, off), breaker=memory.breaker_until > now, core_hours_lost=lost)
    return Decisions(cycle, tuple(made)), replace(memory, at=now, nodes=nodes)
