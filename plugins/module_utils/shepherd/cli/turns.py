# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands ``stand-by`` and ``take-over``, for a site with several central managers."""

from __future__ import annotations

from ...condor.adapter import flock_collector_of_this_host
from ..config.configuration import Configuration
from ..decide.turn import Refused
from ..state.turns import Turns


def stand_by(_configuration: Configuration, turns: Turns) -> list[str]:
    """Act no longer; what to tell. Raises OSError."""
    did = turns.stand_by()
    return ["it stands by" if did else "it stood by already"]


def take_over(configuration: Configuration, turns: Turns, *, dead: bool) -> list[str]:
    """Act from the next cycle on; what to tell. Raises Refused, CondorError or OSError."""
    flock = configuration.pool.flock_collector
    if configuration.managers and not (flock_collector_of_this_host(configuration.pool.timeout) if flock is None else flock):
        raise Refused(
            "the flock's collector is not on this host: expected flock.central_manager.host to be this one, and roles pool and"
            " shepherd applied"
        )
    source, known = turns.take_over(dead=dead)
    if not known:
        unknown = f"what {source} held and had switched off is not known"
        return [f"it acts, and {unknown}: lending is off here until you have looked, and run shepherd on"]
    return [f"it acts, with the overrides of {source}" if source else "it acts, with the overrides that it has"]
