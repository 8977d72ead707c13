# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which nodes go out and which come back. Pure."""

from __future__ import annotations

from ...condor.state import State
from ..model import NodeGoal, PairState
from . import eligibility, reclaim
from .node_view import NodeView
from .policy_request import Direction, PolicyRequest
from .pool_view import PoolView

_MOVING = (PairState.DRAINING_LOCAL, PairState.DRAINING_FLOCK)


def _turns_round(view: NodeView, scene: PoolView) -> bool:
    """Whether a node on its way back can simply be opened again."""
    return (
        view.state is PairState.DRAINING_FLOCK
        and scene.heading[view.name] is NodeGoal.LOCAL
        and not eligibility.forbidden(view, scene.now, scene.settings)
        and not eligibility.too_late(view, scene.now, scene.settings)
    )


def _ready(view: NodeView, scene: PoolView) -> bool:
    return not eligibility.forbidden(view, scene.now, scene.settings) and not eligibility.not_now(view, scene.now, scene.settings)


def _last(view: NodeView) -> tuple[bool, int, str]:
    """The order in which nodes go out: a startd that is off takes a cycle more; what has just failed may well fail again."""
    off = view.pair.flocking is not None and view.pair.flocking.state is State.OFF
    return off, view.memory.failures, view.name


def _spared(cores: int, scene: PoolView) -> list[str]:
    """Names of the nodes whose foreign jobs are left alone after all, so many cores at the most: the last to be closed first."""
    chosen = []
    closing = [view for view in scene.views if view.pair.jobs and not view.memory.vacated_at and _turns_round(view, scene)]
    for view in sorted(closing, key=lambda view: (-view.memory.closed_at, view.name)):
        cores -= scene.size[view.name]
        if cores < 0:
            break
        chosen.append(view.name)
    return chosen


def outgoing(wish: PolicyRequest, scene: PoolView) -> list[str]:
    """Names of the nodes that go out: first those on their way back, then empty ones, as far as the reserve allows.

    Foreign jobs are not evicted for local ones that have found another place meanwhile.
    """
    if scene.reserve.missing:
        return []
    if wish.spare:
        return _spared(wish.spare, scene)
    if wish.way is not Direction.OUT:
        return []
    limit = len(scene.views) if wish.nodes is None else wish.nodes
    chosen = [view.name for view in scene.views if _turns_round(view, scene)][:limit]
    moving = sum(view.state in _MOVING for view in scene.views) - len(chosen)
    budget = max(1, int(scene.settings.moving_share * len(scene.views))) - moving
    out = 0
    for view in sorted((view for view in scene.views if _ready(view, scene)), key=_last):
        if len(chosen) >= limit or budget <= 0:
            break
        cores = out + scene.size[view.name]
        if (wish.cores is None or cores <= wish.cores) and scene.reserve.allows(cores):
            chosen.append(view.name)
            out = cores
            budget -= 1
    return chosen


def _busy(view: NodeView) -> bool:
    """Whether foreign jobs run there."""
    return bool(view.pair.flocking and view.pair.flocking.busy)


def _cost(view: NodeView, scene: PoolView) -> tuple[bool, int, float, int, str]:
    """The order in which nodes come back: what waiting jobs can use; drains before idle nodes before the least badput."""
    busy = _busy(view)
    kind = 0 if view.state is PairState.DRAINING_LOCAL else 2 if busy else 1
    loss = reclaim.expected_loss(view.pair, scene.now, scene.settings) / max(1, scene.size[view.name]) if busy else 0.0
    free_at = reclaim.all_due(view.pair, scene.now, scene.settings) if busy else 0
    return not scene.demand.wants(view.name), kind, loss, free_at, view.name


def returning(wish: PolicyRequest, scene: PoolView) -> list[str]:
    """Names of the nodes that come back.

    Nodes that no waiting job can use come back for the reserve alone, or where the wish is for nodes and not for cores.
    """
    lent = [view for view in scene.views if scene.heading[view.name] is NodeGoal.FLOCK]
    lent.sort(key=lambda view: _cost(view, scene))
    deficit = max(0, scene.reserve.missing - scene.coming(useful=False))
    nodes = len(lent) if wish.nodes is None else wish.nodes
    chosen: list[str] = []
    back = 0
    for view in lent:
        limit = wish.evicting if wish.evicting is not None and _busy(view) else wish.cores
        enough = wish.way is not Direction.BACK or len(chosen) >= nodes or (limit is not None and back >= limit)
        useful = wish.cores is None or scene.demand.wants(view.name)
        if back < deficit or (useful and not enough):
            chosen.append(view.name)
            back += scene.size[view.name]
    return chosen
