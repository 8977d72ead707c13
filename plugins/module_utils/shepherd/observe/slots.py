# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the slots' ads say beyond a startd's state: cores, jobs, the last verification. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ...condor.ads import MOST, SlotAd, integer, text
from ...condor.state import is_left_over, lasting_since
from ..model import ForeignJob, Verification

SECONDS = ("AllowedExecuteDuration", "AllowedJobDuration", "RequestRuntime", "MaxRuntime")
"""attributes in which a job says for how many seconds it runs at the most; HTCondor's own two are enforced by it"""
MINUTES = ("MaxWallTimeMins",)
"""the same in minutes, as the grid's jobs have it"""
ATTRIBUTES = (
    "TotalSlotCpus",
    "BackfillSlot",
    "JobStart",
    "FlockVerifyResult",
    "FlockVerifyTime",
    "FlockVerifyRulesHash",
    "FlockVerifyGatewayRulesHash",
    *SECONDS,
    *MINUTES,
)
"""what is asked for besides the adapter's own; a job's are there where STARTD_JOB_ATTRS of the flocking startd names them"""


class Slot(NamedTuple):
    """One slot's ad: what the adapter makes of it, and the ad itself."""

    known: SlotAd
    ad: Mapping[str, Any]


def base(slots: Sequence[Slot]) -> list[Slot]:
    """The slots that are always there: partitionable and static ones."""
    return [slot for slot in slots if not slot.known.dynamic]


def heard(slots: Sequence[Slot]) -> int:
    """When the collector had heard all of a startd's lasting slots: what is later than that, no ad shows. 0 without any."""
    return min((slot.known.heard for slot in base(slots)), default=0)


def _own(slots: Sequence[Slot]) -> list[Slot]:
    """The lasting slots with cores of their own: those for backfill offer the same cores once more."""
    return [slot for slot in base(slots) if slot.ad.get("BackfillSlot") is not True]


def cores(slots: Sequence[Slot]) -> int:
    """All cores that a startd offers."""
    return sum(integer(slot.ad.get("TotalSlotCpus")) or slot.known.cpus for slot in _own(slots))


def free(slots: Sequence[Slot]) -> int:
    """Cores that no job holds."""
    return sum(
        slot.known.cpus
        for slot in _own(slots)
        if slot.known.partitionable or slot.known.state in ("Unclaimed", "Owner", "Drained")
    )


def _declared_end(ad: Mapping[str, Any], started: int) -> int:
    lengths = [integer(ad.get(name)) for name in SECONDS] + [60 * integer(ad.get(name)) for name in MINUTES]
    said = [length for length in lengths if length > 0]
    return min(started + min(said), MOST) if said else 0


def jobs(slots: Sequence[Slot]) -> tuple[ForeignJob, ...]:
    """The jobs that run. One that does not say since when began, as far as we know, when its ad was made."""
    found = []
    lasting = [slot.known for slot in base(slots)]
    # A partitionable slot that has none tells of ads that are left over from before a restart.
    since = lasting_since(lasting) if not any(slot.dynamic_slots for slot in lasting) else 0
    for slot in slots:
        if is_left_over(slot.known, since):
            continue
        # A claim between two jobs is idle; a drained slot, too, says that it is retiring.
        if slot.known.state not in ("Claimed", "Preempting") or slot.known.activity in ("Idle", ""):
            continue
        started = integer(slot.ad.get("JobStart")) or slot.known.published
        found.append(ForeignJob(slot.known.name.split("@", 1)[0], slot.known.cpus, started, _declared_end(slot.ad, started)))
    return tuple(found)


def verification(slots: Iterable[Slot]) -> Verification | None:
    """What the newest ad of a regular startd says of the last isolation probes; None when none says anything."""
    newest = None
    for slot in slots:
        if text(slot.ad.get("FlockVerifyResult")) and (newest is None or slot.known.heard > newest.known.heard):
            newest = slot
    if newest is None:
        return None
    return Verification(
        result=text(newest.ad.get("FlockVerifyResult")),
        time=integer(newest.ad.get("FlockVerifyTime")),
        rules_hash=text(newest.ad.get("FlockVerifyRulesHash")),
        gateway_rules_hash=text(newest.ad.get("FlockVerifyGatewayRulesHash")),
    )
