# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""This host's clock set back, which must not make old ads look new. Pure."""

from __future__ import annotations

from dataclasses import replace

from ..config.settings import PolicySettings
from ..model import Memory, NodeMemory, PoolSnapshot

LONGEST = 900
"""Seconds after which every live startd's ad has been replaced (HTCondor's UPDATE_INTERVAL is 300, CLASSAD_LIFETIME 900)."""


def _forget(node: NodeMemory, began: int, back: int, now: int) -> NodeMemory:
    return replace(
        node,
        began=began,
        since=min(node.since, now),
        drained_at=0,
        cancelled_at=0,
        opened_at=0,
        open_seen=0,
        closed_at=min(node.closed_at, now),
        vacated_at=min(node.vacated_at, now),
        returned_at=min(node.returned_at, now),
        pending=None,
        pending_at=0,
        retry_at=max(0, node.retry_at - back),
        quarantined_until=max(0, node.quarantined_until - back),
    )


def check(snapshot: PoolSnapshot, memory: Memory, settings: PolicySettings) -> tuple[str, Memory]:
    """What is wrong, one sentence (empty when nothing is), and the memory that goes with the clock as it is now.

    Nothing that was heard by the old clock proves anything: trust begins again where that clock stood, or once every
    live ad has been replaced when that is sooner. A step that is small beside ``lag`` is covered by that.
    """
    now = snapshot.taken
    heard = max((each for pair in snapshot.pairs for each in (pair.regular_heard, pair.flocking_heard)), default=0)
    latest = max(memory.at, heard)
    if latest - now <= settings.lag // 2:
        return "", memory
    back = latest - now
    began = min(latest, now + LONGEST)
    # Also of nodes that nothing is remembered of: the ads of all were heard by that clock.
    nodes = {pair.name: memory.nodes.get(pair.name, NodeMemory()) for pair in snapshot.pairs}
    return (
        f"the clock was set back by at least {back} s",
        replace(
            memory,
            at=now,
            hosts_at=min(memory.hosts_at, now),
            breaker_until=max(0, memory.breaker_until - back),
            nodes={name: _forget(node, began, back, now) for name, node in nodes.items()},
        ),
    )
