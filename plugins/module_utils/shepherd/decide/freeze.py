# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When what is seen cannot be trusted: everything is held as it is, nothing is reverted. Pure.

What users of such controllers met: a collector that had just restarted looked like a pool of dead machines.
Still done then: leases of nodes that are seen lent are renewed, what is on its way back comes back, overrides are obeyed,
conflicts are resolved, and what failed its verification is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...condor.state import State
from ..config.settings import PolicySettings
from ..model import Memory, Pair, PoolSnapshot


def _collectors(snapshot: PoolSnapshot, settings: PolicySettings) -> list[str]:
    if not snapshot.collectors:
        return ["no collector has answered"]
    found = []
    for each in snapshot.collectors:
        age = snapshot.taken - each.started
        if not each.started:
            found.append(f"collector {each.name} does not say since when it listens")
        elif not settings.collector_age <= age:
            found.append(f"collector {each.name} listens only since {age} s (believed after {settings.collector_age} s)")
    return found


def _access_points(snapshot: PoolSnapshot, settings: PolicySettings) -> list[str]:
    if not snapshot.access_points:
        return ["no access point has an ad: local demand is not known"]
    return [
        f"the ad of access point {each.name} is {snapshot.taken - each.heard} s old"
        for each in snapshot.access_points
        if snapshot.taken - each.heard > settings.demand_age
    ]


def _mirror(snapshot: PoolSnapshot, settings: PolicySettings) -> list[str]:
    """A node takes itself back when the site's collector knows nothing of its container: lending would only throw jobs away."""
    if snapshot.copied is None or not settings.mirror_age or snapshot.taken - snapshot.copied <= settings.mirror_age:
        return []
    since = f"for {snapshot.taken - snapshot.copied} s" if snapshot.copied else "at all"
    return [f"the mirror has copied nothing of the flock's to the site's collector {since}"]


def known(pairs: Sequence[Pair]) -> int:
    """How many startds are seen."""
    sides = [side for pair in pairs for side in (pair.regular, pair.flocking)]
    return sum(side is not None and side.state is not State.UNKNOWN for side in sides)


def _fall(seen: int, snapshot: PoolSnapshot, memory: Memory, settings: PolicySettings) -> list[str]:
    if memory.hosts - seen <= settings.fall * memory.hosts or snapshot.taken - memory.hosts_at > settings.fall_hold:
        return []
    return [f"{seen} startds are seen, where there were {memory.hosts} {snapshot.taken - memory.hosts_at} s ago"]


def _stale(snapshot: PoolSnapshot, settings: PolicySettings) -> list[str]:
    sides = [side for pair in snapshot.pairs for side in (pair.regular, pair.flocking) if side is not None]
    stale = sum(side.state is State.UNKNOWN for side in sides)
    if stale <= settings.stale_share * len(sides):
        return []
    return [f"{stale} of {len(sides)} startds are unknown"]


def check(snapshot: PoolSnapshot, memory: Memory, settings: PolicySettings, clock: str = "") -> tuple[tuple[str, ...], Memory]:
    """Why everything is to be held, a sentence each, and the memory with the number of startds.

    ``clock``: what is wrong with this host's clock, when something is.
    """
    seen = known(snapshot.pairs)
    fall = _fall(seen, snapshot, memory, settings)
    if not fall:
        memory = replace(memory, hosts=seen, hosts_at=snapshot.taken)
    reasons = [clock] if clock else []
    reasons += (
        _collectors(snapshot, settings)
        + _access_points(snapshot, settings)
        + fall
        + _stale(snapshot, settings)
        + _mirror(snapshot, settings)
    )
    return tuple(reasons), memory
