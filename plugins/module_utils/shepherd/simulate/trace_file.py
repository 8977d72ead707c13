# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A trace's file replayed twice, with and without lending, and what the difference is in a few figures."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config.settings import PolicySettings
from .simulation import Plant, ReplayResult, added, foreign_jobs, percentile, replay
from .traces import TraceError, TraceJob, history, swf


def lines(path: str) -> Iterator[str]:
    """A file's lines, of one that is compressed by gzip too. Raises TraceError."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else Path(path).open(encoding="utf-8") as stream:
            yield from stream
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise TraceError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def read(path: str) -> list[TraceJob]:
    """The jobs of a file: JSON lines where its first line begins with a brace, else SWF. Raises TraceError."""
    every = lines(path)
    first = next(every, "")

    def whole() -> Iterator[str]:
        yield first
        yield from every

    jobs = list(history(whole()) if first.lstrip().startswith("{") else swf(whole()))
    if not jobs:
        raise TraceError(f"{path} has no job that ran: expected a trace (SWF, or job ads as JSON lines).")
    return jobs


def figures(settings: PolicySettings, lending: ReplayResult, alone: ReplayResult) -> dict[str, Any]:
    """What lending brought and what it cost the local jobs."""
    waits = added(lending.waits, alone.waits)
    late = percentile(waits, 0.95)
    return {
        "policy": settings.policy,
        "days": round(lending.days, 2),
        "nodes": lending.nodes,
        "local_core_hours": round(lending.local, 1),
        "foreign_core_hours": round(lending.lent, 1),
        "badput_core_hours": round(lending.badput, 1),
        "badput_share": round(lending.badput_share, 4),
        "added_wait_mean_seconds": round(sum(waits) / len(waits), 1) if waits else 0.0,
        "added_wait_p95_seconds": late,
        "added_wait_p95_cycles": round(late / settings.cycle, 2),
        "toggles_per_node_and_day": round(lending.toggles_per_node_and_day, 2),
    }


def simulate(path: str, settings: PolicySettings, plant: Plant, *, seed: int = 1, days: float | None = None) -> dict[str, Any]:
    """Replay a file's trace. ``days``: only the first so many. Raises TraceError."""
    jobs = read(path)
    seconds = None if days is None else int(days * 86400)
    lending = replay(jobs, plant, settings, foreign_jobs(seed), seconds=seconds)
    alone = replay(jobs, plant, None, foreign_jobs(seed), seconds=seconds)
    return figures(settings, lending, alone)
