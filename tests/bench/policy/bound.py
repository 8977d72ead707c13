# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a clairvoyant would lend that keeps the same reserve and gets foreign jobs of the same lengths. Pure.

It lends every empty node from the second it gets empty, no more of them than the reserve allows, knows when each will be wanted,
and out of a demand that has no end always has a job that ends just then: nothing is thrown away, no local job waits, nothing is
lost to draining. Only windows shorter than the shortest foreign job stay unused.

Which nodes are empty depends on where local jobs are put. The clairvoyant knows their ends too, and puts them together by that
(``packed``): better than any negotiator can. Nobody could have more than the cores in use leave when they are counted as if
running jobs moved together at no cost (``whole``), which no pool does.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush

from plugins.module_utils.shepherd.decide.reserve import least
from plugins.module_utils.shepherd.simulate.simulation import Plant
from plugins.module_utils.shepherd.simulate.traces import TraceJob

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


def packed(jobs: Sequence[TraceJob], waits: Sequence[int], plant: Plant, seconds: int) -> Iterator[tuple[int, int]]:
    """Yield when the number of empty nodes changes, and to what, when single-core jobs are placed by one who knows their ends.

    Each starts when it did, on a node that stays busy longest beyond its end by the least, else on the one that it keeps busy
    longer by the least, and on an empty one only when no other has a core.
    """
    starts = sorted((job.submitted + wait, job.run) for job, wait in zip(jobs, waits) if wait >= 0)
    free = [plant.cores] * plant.nodes
    last = [0] * plant.nodes
    usable: list[tuple[int, int]] = []
    empty = list(range(plant.nodes))
    running: list[tuple[int, int]] = []
    yield 0, len(empty)
    for began, run in [*starts, (seconds, 0)]:
        while running and running[0][0] <= began:
            when, node = heappop(running)
            if not free[node]:
                insort(usable, (last[node], node))
            free[node] += 1
            if free[node] == plant.cores:
                usable.remove((last[node], node))
                empty.append(node)
                yield when, len(empty)
        if began >= seconds:
            return
        end = began + run
        if usable:
            place = min(bisect_left(usable, (end, 0)), len(usable) - 1)
            _last, node = usable.pop(place)
        else:
            node = empty.pop()
            last[node] = end
            yield began, len(empty)
        last[node] = max(last[node], end)
        free[node] -= 1
        if free[node]:
            insort(usable, (last[node], node))
        heappush(running, (end, node))


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
