# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A utilisation feedback controller to compare with: COBalD's LinearController, from the `cobald` package.

It is given the pool of cores that local jobs may use, and asks for a little more of it in every interval in which it is nearly
full and for a little less while much of it is not used. Which nodes those are, the reserve, and how they are taken back is the
engine's doing, as with every other controller here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cobald.controller.linear import LinearController
from cobald.decorator.limiter import Limiter

from plugins.module_utils.shepherd.config.settings import PolicySettings
from plugins.module_utils.shepherd.decide.engine import decide
from plugins.module_utils.shepherd.model import Decisions, Memory, NodeGoal, PoolSnapshot
from plugins.module_utils.shepherd.simulate.simulation import CycleView, Plant, settled

LOW, HIGH = 0.9, 0.98
"""utilisation below which less is asked for, and above which more (assumed; COBalD's own defaults, 0.5 and 0.5, are for pools
that cost nothing when they idle)"""


@dataclass
class LocalCores:
    """The cores that local jobs may use, as a pool of COBalD's."""

    supply: float
    """cores of nodes that are open to local jobs"""
    demand: float
    """cores that there should be; set by the controller"""
    utilisation: float = 1.0
    """share of the supply that local jobs hold"""

    @property
    def allocation(self) -> float:
        """COBalD's share of resources that are assigned, used or not: the same here."""
        return self.utilisation


class Feedback:
    """LinearController, asked once in every cycle. Its rate lets it move as many nodes in a cycle as ours may lend."""

    def __init__(self, plant: Plant, settings: PolicySettings) -> None:
        self.plant = plant
        total = plant.nodes * plant.cores
        self.pool = LocalCores(supply=total, demand=total)
        limited = Limiter(self.pool, minimum=settings.reserve * total, maximum=total)
        rate = settings.out_share * total / settings.cycle
        self.controller = LinearController(limited, low_utilisation=LOW, high_allocation=HIGH, rate=rate, interval=settings.cycle)

    def missing(self, memory: Memory) -> int:
        """How many nodes more are asked for than are or will be open to local jobs; below zero: too many are."""
        lent = sum(node.wanted is NodeGoal.FLOCK for node in memory.nodes.values())
        return round(self.pool.demand / self.plant.cores) - (self.plant.nodes - lent)

    def still(self, look: CycleView, settings: PolicySettings, memory: Memory) -> Memory | None:
        """Ask the controller, and see whether anything follows from it."""
        self.pool.supply = look.open
        self.pool.utilisation = look.used / look.open if look.open else 1.0
        self.controller.regulate(settings.cycle)
        missing = self.missing(memory)
        moves = (missing > 0 and look.lent) or (missing < 0 and look.lendable)
        return memory if settled(look, memory) and not moves else None

    def decide(self, snapshot: PoolSnapshot, settings: PolicySettings, memory: Memory) -> tuple[Decisions, Memory]:
        """Have the engine move as many nodes: told as the talk's rule, with steps of that size and a queue on the right side."""
        missing = self.missing(memory)
        step = max(1, abs(missing))
        told = replace(settings, policy="threshold", step_out=step, step_back=step)
        queue = told.threshold + (missing > 0) - (missing < 0)
        access_points = tuple(replace(each, idle_jobs=queue) for each in snapshot.access_points)
        return decide(replace(snapshot, access_points=access_points), told, memory)
