# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said about a cycle and about each node in it. Pure."""

from __future__ import annotations

from ..model import CycleSummary, Fact, Override, PairState
from . import eligibility
from .node_view import NodeView
from .plural import amount
from .policy_request import PolicyRequest
from .pool_view import HOME, PoolView
from .transitions import Step


def facts(view: NodeView, step: Step, now: int) -> dict[str, Fact]:
    """What a decision was made of; times are seconds from now."""
    found: dict[str, Fact] = {"cores": view.pair.cores}
    if view.pair.regular is not None:
        found["regular"] = view.pair.regular.state.value
        found["local_jobs"] = view.pair.regular.busy
    if view.pair.flocking is not None:
        found["flocking"] = view.pair.flocking.state.value
        found["foreign_jobs"] = view.pair.flocking.busy
        found["open_seconds"] = max(0, view.pair.flocking.open_until - now)
    if view.pair.verification is not None:
        found["verification"] = view.pair.verification.result
        found["verified_seconds_ago"] = now - view.pair.verification.time
    if step.lost:
        found["core_hours_lost"] = round(step.lost, 3)
    return found


def reason(view: NodeView, step: Step, wished: PolicyRequest, scene: PoolView, *, moved: bool) -> str:
    """Why a node is treated as it is: what forbids lending it, what asked for the move, what is done."""
    now, settings = scene.now, scene.settings
    parts = [step.reason]
    if moved:
        # Without a wish it was the reserve that asked.
        missing = scene.reserve.missing
        parts.insert(0, f"the reserve lacks {amount(missing, 'core')}" if missing else wished.why)
    elif view.state is PairState.LOCAL and not step.actions:
        # Nodes at home are asked about most: why is this one not lent?
        parts.append(eligibility.forbidden(view, now, settings) or eligibility.not_now(view, now, settings) or wished.why)
    elif view.state not in HOME and not view.why:
        parts.insert(0, eligibility.forbidden(view, now, settings))
    return "; ".join(part for part in parts if part)


def cycle(scene: PoolView, wished: PolicyRequest, off: Override | None) -> CycleSummary:
    """What the cycle found for the pool as a whole."""
    return CycleSummary(
        policy=scene.settings.policy,
        wish=wished.why,
        demand_cores=scene.demand.cores,
        idle_jobs=scene.demand.jobs,
        cores=scene.reserve.cores,
        local_cores=scene.reserve.local,
        lent_cores=scene.reserve.cores - scene.reserve.local,
        reserve_cores=scene.reserve.least,
        frozen=scene.frozen,
        off=f"switched off by {off.owner}: {off.reason}" if off else "",
    )
