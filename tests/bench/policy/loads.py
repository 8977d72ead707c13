# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Local loads to replay: a satellite-processing site of the talk's kind, generated. Pure.

From the talk (slide 3): a forward stream of polar orbiters that "uses ~20% of cluster day to day", and "periodic mission
reprocessing, days to weeks of processing". Everything else is assumed, and said at its constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log
from random import Random

from plugins.module_utils.shepherd.simulate.simulation import Plant
from plugins.module_utils.shepherd.simulate.traces import TraceJob

DAY = 86400

FORWARD_SHARE = 0.20
"""of the cores, the forward stream's mean (the talk)"""
FORWARD_SPREAD = 0.20
"""standard deviation of a day's share around it, as a part of it (assumed)"""
SATELLITES = 4
"""Terra, Aqua, Suomi NPP, NOAA-20 (the talk); each sends a granule every GRANULE seconds"""
GRANULE = 360
"""seconds of observation in a granule (MODIS 5 minutes, VIIRS and CrIS 6)"""
FORWARD_RUN = 1800
"""mean run time of a forward job in seconds (assumed)"""

CAMPAIGN_GAP = 6 * DAY
"""mean time between the end of a reprocessing campaign and the beginning of the next (assumed)"""
CAMPAIGN = (2 * DAY, 14 * DAY)
"""how long one lasts: days to weeks (the talk)"""
PACE = (0.3, 0.7)
"""of the cores, what a campaign keeps busy while its input is brought in from the archive (assumed)"""
BATCH = 288
"""jobs of a campaign that are submitted together: a day of data in granules of five minutes"""
CAMPAIGN_RUN = 2700
"""mean run time of one of them in seconds (assumed)"""
SCATTER = 0.6
"""of all run times: standard deviation of their logarithm (assumed)"""


@dataclass(frozen=True)
class Load:
    """What is replayed."""

    name: str
    jobs: tuple[TraceJob, ...]
    plant: Plant
    seconds: int
    seed: int


def _run(random: Random, mean: float) -> int:
    """Return a run time, log-normally distributed, a minute at least."""
    return max(60, int(random.lognormvariate(log(mean) - SCATTER**2 / 2, SCATTER)))


def _poisson(random: Random, mean: float) -> int:
    """Return how many events there are, by Knuth's method; for means that are not large."""
    limit, product, number = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        number += 1
    return number


def forward(random: Random, cores: int, seconds: int) -> Iterator[TraceJob]:
    """Yield the forward stream's jobs: some for every granule, as many as the day's share asks for."""
    shares = [max(0.0, random.gauss(1, FORWARD_SPREAD)) * FORWARD_SHARE for _day in range(seconds // DAY + 1)]
    for satellite in range(SATELLITES):
        for at in range(satellite * GRANULE // SATELLITES, seconds, GRANULE):
            mean = shares[at // DAY] * cores * GRANULE / FORWARD_RUN / SATELLITES
            for _job in range(_poisson(random, mean)):
                yield TraceJob(at, _run(random, FORWARD_RUN))


def campaigns(random: Random, cores: int, seconds: int) -> Iterator[TraceJob]:
    """Yield the jobs of reprocessing campaigns: batch after batch, each campaign at a pace of its own."""
    begin = random.expovariate(1 / CAMPAIGN_GAP)
    while begin < seconds:
        end, pace = begin + random.uniform(*CAMPAIGN), random.uniform(*PACE)
        between = BATCH * CAMPAIGN_RUN / (pace * cores)
        at = begin
        while at < end:
            for _job in range(BATCH):
                yield TraceJob(int(at), _run(random, CAMPAIGN_RUN))
            at += between * random.uniform(0.8, 1.2)
        begin = end + random.expovariate(1 / CAMPAIGN_GAP)


def satellite_site(seed: int, *, nodes: int = 200, cores: int = 8, days: int = 30) -> Load:
    """Generate a load of the talk's kind. ``cores`` of a node: assumed."""
    random, seconds = Random(seed), days * DAY
    jobs = [
        *forward(random, nodes * cores, seconds),
        *campaigns(random, nodes * cores, seconds),
    ]
    jobs = sorted((job for job in jobs if job.submitted < seconds), key=lambda job: job.submitted)
    return Load("generated", tuple(jobs), Plant(nodes, cores), seconds, seed)
