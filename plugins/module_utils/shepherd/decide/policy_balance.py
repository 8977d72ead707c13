# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The default policy: out slowly when nothing waits that could run here, back by as much as waits. Pure.

What is lent and empty comes back at once. Foreign jobs have to leave only for what is missing in each of several cycles: local
jobs that end make room too, most often before a node could be taken back (docs/policy.md).
"""

from __future__ import annotations

from dataclasses import replace

from ..config.settings import PolicySettings
from ..model import Memory
from .demand import Demand
from .plural import amount
from .policy_request import Direction, PolicyRequest


def count(demand: Demand, memory: Memory, settings: PolicySettings) -> Memory:
    """For how many cycles in a row demand has been low, and what was missing in those in which it was high, this one included."""
    low, high = demand.unmet <= settings.low, demand.unmet > settings.high
    return replace(
        memory,
        low_cycles=memory.low_cycles + 1 if low else 0,
        missing=(*memory.missing, demand.unmet)[-settings.high_cycles :] if high else (),
    )


def _from_foreign_jobs(memory: Memory, settings: PolicySettings) -> int:
    """Cores for which foreign jobs have to leave."""
    return min(memory.missing) if len(memory.missing) >= settings.high_cycles else 0


def wish(demand: Demand, coming: int, nodes: int, memory: Memory, settings: PolicySettings) -> PolicyRequest:
    """What the policy asks for.

    ``coming``: cores that are on their way back already, so that waiting demand is not answered again in every cycle;
    ``nodes``: how many there are. ``memory``: counted for this cycle.
    """
    waits = f"idle jobs need {amount(demand.unmet, 'core')} more than are free" if demand.unmet else "no unmet demand"
    if demand.unmet > settings.high:
        why = f"{waits}, in {len(memory.missing)} of {settings.high_cycles} cycles, {coming} on their way back"
        missing = demand.unmet - coming
        if missing <= 0:
            return PolicyRequest(Direction.STAY, why, spare=-missing)
        return PolicyRequest(Direction.BACK, why, cores=missing, evicting=max(0, _from_foreign_jobs(memory, settings) - coming))
    if demand.unmet > settings.low:
        return PolicyRequest(Direction.STAY, f"{waits}, between low ({settings.low}) and high ({settings.high})")
    if memory.low_cycles < settings.low_cycles:
        return PolicyRequest(
            Direction.STAY, f"{waits}, low for {memory.low_cycles} of {settings.low_cycles} cycles", spare=coming
        )
    step = max(1, int(settings.out_share * nodes))
    return PolicyRequest(Direction.OUT, f"{waits}, low for {amount(memory.low_cycles, 'cycle')}", nodes=step, cores=demand.free)
