# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Since when a collector listens, by this host's clock. Pure.

One that was started while a clock was ahead says so of an hour that has not come: until then it would be taken for young, and
everything would be held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class CollectorStart:
    """One start of a collector."""

    told: int
    """epoch seconds as the collector says; 0 when it does not"""
    first_seen: int
    """epoch seconds of the first cycle in which it said so"""

    @property
    def since(self) -> int:
        """Since when it listens, at the latest; 0 when it does not say."""
        return min(self.told, self.first_seen)


def starts(told: Mapping[str, int], before: Mapping[str, CollectorStart], now: int) -> dict[str, CollectorStart]:
    """The starts of all collectors that were asked, by their address. ``before``: those of the last cycle."""

    def first_seen(collector: str, start: int) -> int:
        known = before.get(collector)
        # Later than now: the clock was set back since.
        return min(known.first_seen, now) if known is not None and known.told == start else now

    return {collector: CollectorStart(start, first_seen(collector, start)) for collector, start in told.items()}
