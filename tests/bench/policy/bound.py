# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a clairvoyant would lend that keeps the same reserve and gets foreign jobs of the same lengths. Pure.

It lends every empty node from the second it gets empty, no more of them than the reserve allows, knows when each will be wanted,
and out of a demand that has no end always has a job that ends just then: nothing is thrown away, no local job waits, nothing is
lost to draining. Only windows shorter than the shortest foreign job stay unused.

Which nodes are empty depends on where local jobs are put. Those of the replay that lends nothing, where the negotiator puts jobs
on the fullest node, are what a shepherd that keeps nobody waiting can have (``lent`` of these). Nobody could have more than the
cores in use leave when they are counted as if jobs moved together at no cost (``lent`` of ``whole``), which no pool does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from plugins.module_utils.shepherd.reserve import least
from plugins.module_utils.shepherd.simulate import Plant
from plugins.module_utils.shepherd.traces import TraceJob

SHORTEST = 60
"""seconds that a foreign job runs at least (simulate.foreign_jobs)"""


def used(jobs: Sequence[TraceJob], waits: Sequence[int], seconds: int) -> Iterator[tuple[int, int]]:
    """Yield when the number of cores that local jobs hold changes, and to what. Jobs that never started (-1) are left out."""
    changes: dict[int, int] = {}
    for job, wait in zip(jobs, waits):
        if wait >= 0:
            began = job.submitted + wait
            changes[began] = changes.get(began, 0) + job.cores
            changes[began + job.run] = changes.get(began + job.run, 0) - job.cores
    now = 0
    yield 0, 0
    for when in sorted(changes):
        if when >= seconds:
            break
        now += changes[when]
        yield when, now


def windows(levels: Iterable[tuple[int, int]], seconds: int) -> Iterator[int]:
    """Yield how long each of several equal things is to be had, the last to come the first to go. ``levels``: time and number."""
    begun: list[int] = []
    for when, level in levels:
        while len(begun) > level:
            yield when - begun.pop()
        begun.extend([when] * (level - len(begun)))
    yield from (seconds - begin for begin in begun)


def whole(levels: Iterable[tuple[int, int]], plant: Plant) -> Iterator[tuple[int, int]]:
    """Yield how many whole nodes so many used cores leave empty at best: when jobs could move from node to node at no cost."""
    total = plant.nodes * plant.cores
    return ((when, max(0, (total - cores) // plant.cores)) for when, cores in levels)


def lent(empty: Iterable[tuple[int, int]], plant: Plant, reserve: float, seconds: int) -> float:
    """Return the core hours that foreign jobs get on so many empty nodes, as far as the reserve allows."""
    total = plant.nodes * plant.cores
    most = (total - least(total, reserve)) // plant.cores
    levels = ((when, min(number, most)) for when, number in empty)
    return sum(length for length in windows(levels, seconds) if length >= SHORTEST) * plant.cores / 3600
