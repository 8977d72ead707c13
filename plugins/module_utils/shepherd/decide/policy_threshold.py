# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The talk's rule: fewer idle jobs than the threshold, and a step of nodes goes out; more, and a step comes back. Pure.

Source: the talk's slide "Shepherd Script Logic" (600 idle jobs, every five minutes).
"""

from __future__ import annotations

from ..config.settings import PolicySettings
from .demand import Demand
from .policy_request import Direction, PolicyRequest


def wish(demand: Demand, settings: PolicySettings) -> PolicyRequest:
    """What the rule asks for."""
    if demand.jobs < settings.threshold:
        return PolicyRequest(Direction.OUT, f"{demand.jobs} idle jobs, fewer than {settings.threshold}", nodes=settings.step_out)
    if demand.jobs > settings.threshold:
        return PolicyRequest(Direction.BACK, f"{demand.jobs} idle jobs, more than {settings.threshold}", nodes=settings.step_back)
    return PolicyRequest(Direction.STAY, f"{demand.jobs} idle jobs, as many as the threshold")
