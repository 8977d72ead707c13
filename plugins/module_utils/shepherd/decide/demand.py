# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Demand: cores of idle local jobs that could run here. Pure.

600 idle jobs are not demand: they are weighed by their cores, those that match nothing here are left out (whether they do is
found out by whoever asks the schedds), and so are those that the free cores of open regular nodes will take anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..config.settings import PolicySettings
from ..model import IdleJobs, PoolSnapshot
from .node_view import NodeView


@dataclass(frozen=True)
class Demand:
    """What local work waits for."""

    jobs: int
    """idle jobs of all local access points, whatever they need (the talk's queue)"""
    cores: int
    """of idle jobs that could run here"""
    unmet: int
    """of them, what the free cores of open regular nodes cannot take"""
    free: int
    """cores that stay free on open regular nodes when they have taken what they can"""
    kinds: tuple[IdleJobs, ...]
    """those that could run here"""

    def wants(self, node: str) -> bool:
        """Whether some of the waiting jobs could run on a node."""
        return self._anywhere or node in self._somewhere

    @cached_property
    def _anywhere(self) -> bool:
        return any(kind.nodes is None for kind in self.kinds)

    @cached_property
    def _somewhere(self) -> frozenset[str]:
        return frozenset().union(*{kind.nodes for kind in self.kinds if kind.nodes is not None})


def _place(kind: IdleJobs, free: dict[str, int], names: Iterable[str]) -> int:
    """How many of these jobs fit into the free cores, which they take."""
    placed = 0
    for name in names:
        fits = min(free.get(name, 0) // kind.cores, kind.jobs - placed)
        if fits > 0:
            free[name] -= fits * kind.cores
            placed += fits
        if placed == kind.jobs:
            break
    return placed


def measure(snapshot: PoolSnapshot, views: Sequence[NodeView], settings: PolicySettings) -> Demand:
    """The demand of a snapshot."""
    kinds = tuple(kind for kind in snapshot.idle if kind.jobs > 0 and kind.cores > 0 and (kind.nodes is None or kind.nodes))
    free = {view.name: view.pair.free for view in views if view.local and view.pair.free > 0}
    ordered = sorted(free)
    unmet = 0
    for kind in sorted(kinds, key=lambda each: -each.cores):
        # Jobs that have waited for two cycles are not taken by free cores, whatever the reason.
        stuck = bool(kind.oldest) and snapshot.taken - kind.oldest > 2 * settings.cycle
        names = [] if stuck else [name for name in ordered if free[name] and (kind.nodes is None or name in kind.nodes)]
        unmet += (kind.jobs - _place(kind, free, names)) * kind.cores
    return Demand(
        jobs=sum(each.idle_jobs for each in snapshot.access_points),
        cores=sum(kind.jobs * kind.cores for kind in kinds),
        unmet=unmet,
        free=sum(free.values()),
        kinds=kinds,
    )
