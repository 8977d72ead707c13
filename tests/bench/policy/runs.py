# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One load under one controller after the other, and what came of it. Pure, apart from the progress it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from plugins.module_utils.shepherd.config.settings import PolicySettings
from plugins.module_utils.shepherd.simulate.simulation import (
    Controller,
    CycleView,
    Plant,
    ReplayResult,
    added,
    foreign_jobs,
    percentile,
    replay,
)
from plugins.module_utils.shepherd.simulate.traces import TraceJob

from . import bound
from .feedback import Feedback
from .loads import Load

OURS, TALK, FEEDBACK, CLAIRVOYANT = "ours (balance)", "the talk's rule", "cobald", "clairvoyant"
CONTROLLERS = (TALK, FEEDBACK, OURS)


@dataclass(frozen=True)
class Figures:
    """One row of the table."""

    load: str
    seed: int
    controller: str
    harvest_share: float
    """foreign core hours that were of use, of the clairvoyant's"""
    profile_share: float
    """the same, of what jobs that move from node to node without cost would leave"""
    wait_mean: float
    """cycles that local jobs wait longer than when nothing is lent, on average"""
    wait_p95: float
    badput_share: float
    """of all core hours given to foreign jobs, those of evicted ones"""
    toggles: float
    """drains and their cancellings, per node and day"""
    local_share: float
    """cores that local jobs hold, of all"""


@dataclass(frozen=True)
class Baseline:
    """A load when nothing is lent, and what could be lent beside it. Core hours."""

    load: Load
    alone: ReplayResult
    clairvoyant: float
    profile: float


def settings_of(controller: str) -> PolicySettings:
    """Return the settings that a site gets, but for the policy."""
    return PolicySettings(policy="threshold") if controller == TALK else PolicySettings()


def from_zero(jobs: tuple[TraceJob, ...]) -> list[TraceJob]:
    """Return the jobs with times that count from the first submission, as the replay has them."""
    first = jobs[0].submitted
    return [replace(job, submitted=job.submitted - first) for job in jobs]


def baseline(load: Load) -> Baseline:
    """Replay a load with nothing lent."""
    alone = replay(load.jobs, load.plant, None, foreign_jobs(load.seed), seconds=load.seconds)
    reserve = PolicySettings().reserve
    jobs = from_zero(load.jobs)
    packed = bound.packed(jobs, alone.waits, load.plant, load.seconds)
    moving = bound.whole(bound.used(jobs, alone.waits, load.seconds), load.plant)
    return Baseline(
        load,
        alone,
        clairvoyant=bound.lent(packed, load.plant, reserve, load.seconds),
        profile=bound.lent(moving, load.plant, reserve, load.seconds),
    )


def play(base: Baseline, controller: str, observe: Callable[[CycleView], None] | None = None) -> ReplayResult:
    """Replay a load under a controller."""
    load, settings = base.load, settings_of(controller)
    decides: Controller | None = Feedback(load.plant, settings) if controller == FEEDBACK else None
    foreign = foreign_jobs(load.seed)
    return replay(load.jobs, load.plant, settings, foreign, seconds=load.seconds, controller=decides, observe=observe)


def figures(base: Baseline, controller: str, made: ReplayResult) -> Figures:
    """Sum up."""
    waits = added(made.waits, base.alone.waits)
    cycle = settings_of(controller).cycle
    return Figures(
        load=base.load.name,
        seed=base.load.seed,
        controller=controller,
        harvest_share=made.lent / base.clairvoyant,
        profile_share=made.lent / base.profile,
        wait_mean=sum(waits) / max(1, len(waits)) / cycle,
        wait_p95=percentile(waits, 0.95) / cycle,
        badput_share=made.badput_share,
        toggles=made.toggles_per_node_and_day,
        local_share=made.local * 3600 / (base.load.seconds * cores(base.load.plant)),
    )


def cores(plant: Plant) -> int:
    """Return the cores of all nodes."""
    return plant.nodes * plant.cores


def compare(load: Load) -> Iterator[Figures]:
    """Yield a row for each controller, the clairvoyant's last."""
    base = baseline(load)
    for controller in CONTROLLERS:
        yield figures(base, controller, play(base, controller))
    local = base.alone.local * 3600 / (load.seconds * cores(load.plant))
    yield Figures(load.name, load.seed, CLAIRVOYANT, 1.0, base.clairvoyant / base.profile, 0.0, 0.0, 0.0, 0.0, local)
