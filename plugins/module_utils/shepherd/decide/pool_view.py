# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole pool as one cycle sees it, before anything is decided. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..config.settings import PolicySettings
from ..model import NodeGoal, PairState
from . import eligibility
from .demand import Demand
from .node_view import NodeView
from .reserve import Reserve

LEFT_ALONE = (PairState.HELD, PairState.UNKNOWN)
HOME = (PairState.LOCAL, PairState.OFF, PairState.QUARANTINED, PairState.CONFLICT)
"""states of nodes that are not on their way back: they are there, or it is not for us to say when"""


@dataclass(frozen=True)
class PoolView:
    """What the policies and the selection of nodes go by."""

    now: int
    settings: PolicySettings
    views: tuple[NodeView, ...]
    heading: Mapping[str, NodeGoal | None]
    """where each node goes when nobody asks for anything; None: left as it is"""
    size: Mapping[str, int]
    """cores of each node"""
    reserve: Reserve
    demand: Demand
    frozen: tuple[str, ...] = ()
    """why everything is held, a sentence each"""

    def coming(self, *, useful: bool) -> int:
        """Cores on their way back already: all of them, or those that waiting jobs can use."""
        return sum(
            self.size[view.name]
            for view in self.views
            if view.state not in HOME
            and self.heading[view.name] is NodeGoal.LOCAL
            and (not useful or self.demand.wants(view.name))
        )


def heading(view: NodeView, now: int, settings: PolicySettings) -> NodeGoal | None:
    """Where a node goes when nobody asks for anything: on as before, and back where it may not be lent."""
    if view.state in LEFT_ALONE:
        return None
    if view.state in HOME or eligibility.forbidden(view, now, settings):
        return NodeGoal.LOCAL
    if view.state is PairState.FLOCK:
        return view.memory.wanted or NodeGoal.FLOCK
    return NodeGoal.LOCAL if eligibility.too_late(view, now, settings) else view.memory.wanted or NodeGoal.LOCAL
