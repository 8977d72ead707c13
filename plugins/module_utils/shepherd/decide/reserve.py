# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reserve: cores that stay out of the flock. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from ..config.settings import PolicySettings
from ..model import PairState
from .node_view import NodeView, is_ours


@dataclass(frozen=True)
class Reserve:
    """How the cores are divided."""

    cores: int
    """of all nodes that are ours to divide"""
    local: int
    """of them, seen open to local jobs"""
    sure: int
    """of them, open to local jobs with no drain of ours under way"""
    least: int
    """what must stay out"""

    def allows(self, cores: int) -> bool:
        """Whether so many may go out."""
        return self.sure - cores >= self.least

    @property
    def missing(self) -> int:
        """How many have to come back because others vanished."""
        return max(0, self.least - self.local)


def least(cores: int, share: float) -> int:
    """A share of the cores, rounded up. Exact for shares as people write them (0.1 of 30 is 3)."""
    return ceil(Fraction(str(share)) * cores)


def counted(view: NodeView) -> bool:
    """Whether a node is ours to divide: not what is off, or drained by somebody else. What is unknown counts, as lent."""
    regular = view.pair.regular
    if view.state is PairState.OFF:
        return view.local
    return not (view.state is PairState.HELD and regular is not None and regular.drained_by_htcondor and not is_ours(regular))


def sizes(views: Iterable[NodeView]) -> dict[str, int]:
    """Cores of each node. One that was never seen counts as the largest, so that it makes the reserve no smaller."""
    known = {view.name: view.pair.cores for view in views}
    largest = max(known.values(), default=0)
    return {name: cores or largest for name, cores in known.items()}


def divide(views: Sequence[NodeView], settings: PolicySettings) -> Reserve:
    """How the cores are divided now."""
    size = sizes(views)
    ours = [view for view in views if counted(view)]
    cores = sum(size[view.name] for view in ours)
    return Reserve(
        cores=cores,
        local=sum(size[view.name] for view in ours if view.local),
        sure=sum(size[view.name] for view in ours if view.sure_local),
        least=least(cores, settings.reserve),
    )
