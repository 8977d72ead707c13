# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking a lent node back from the foreign jobs that run there. Pure.

Closed, every job has until its declared end or until the cap, whichever comes first; then those that are left are asked to end,
then killed. The startd is told as a whole: it is, when the last of its jobs has had its time.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..config.settings import PolicySettings
from ..model import ForeignJob, NodeMemory, Pair, Stage


def due(job: ForeignJob, closed_at: int, settings: PolicySettings) -> int:
    """When a job has had its time on a node that was closed at ``closed_at`` (epoch seconds)."""
    cap = closed_at + settings.reclaim_cap
    return min(job.declared_end, cap) if job.declared_end else cap


def all_due(pair: Pair, closed_at: int, settings: PolicySettings) -> int:
    """When all of a node's jobs have had their time; jobs that nothing is known of have until the cap."""
    return max((due(job, closed_at, settings) for job in pair.jobs), default=closed_at + settings.reclaim_cap)


def stage(pair: Pair, node: NodeMemory, now: int, settings: PolicySettings, *, hurry: bool) -> Stage:
    """How far it has got now. ``hurry``: the jobs get no time of their own."""
    if node.vacated_at:
        return Stage.FAST if now - node.vacated_at >= settings.quick else Stage.QUICK
    if hurry or now >= all_due(pair, node.closed_at or now, settings):
        return Stage.QUICK
    return Stage.GRACEFUL


def core_hours(jobs: Iterable[ForeignJob], now: int) -> float:
    """What is thrown away when these jobs end now: cores times hours since their start (badput)."""
    return sum(job.cores * max(0, now - job.started) for job in jobs) / 3600


def expected_loss(pair: Pair, now: int, settings: PolicySettings) -> float:
    """What would be thrown away, in core hours, when the node was closed now: jobs that declare to end in time cost nothing."""
    cap = now + settings.reclaim_cap
    return core_hours((job for job in pair.jobs if not job.declared_end or job.declared_end > cap), cap)
