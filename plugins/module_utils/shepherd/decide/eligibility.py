# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a node may be lent. Pure: each function gives the reason why not, one sentence, empty when it may."""

from __future__ import annotations

from collections.abc import Sequence

from ...condor.state import State
from ..config.settings import PolicySettings
from ..model import Pair, PairState, Verification, drain_epoch
from .node_view import NodeView
from .plural import amount

_SKEW = 300
"""seconds by which a node's clock may be ahead of ours before what it says is not believed"""
_WARNED = 86400
"""seconds before a verification is too old from which on that is told"""


def unverified(verification: Verification | None, now: int, settings: PolicySettings) -> str:
    """Why a verification does not vouch for a node."""
    if verification is None:
        return "its isolation was never verified"
    if verification.result != "pass":
        return f"its last verification ended with {verification.result!r}"
    age = now - verification.time
    if age > settings.verify_max_age:
        return f"its last verification is {age} s old (at the most {settings.verify_max_age} s)"
    if age < -_SKEW:
        return f"its last verification lies {-age} s in the future"
    if settings.rules_hash and verification.rules_hash != settings.rules_hash:
        return f"it was verified with other rules ({verification.rules_hash or 'no hash'})"
    return ""


def expiring(pairs: Sequence[Pair], now: int, settings: PolicySettings) -> list[str]:
    """Warn of the verifications that are soon too old to lend by: a sentence, or none.

    Soon is a day; half of ``verify_max_age`` where that is less.
    """
    soon = min(_WARNED, settings.verify_max_age // 2)
    left = {
        pair.name: pair.verification.time + settings.verify_max_age - now
        for pair in pairs
        if pair.verification is not None and not unverified(pair.verification, now, settings)
    }
    names = sorted((name for name, seconds in left.items() if seconds <= soon), key=lambda name: left[name])
    if not names:
        return []
    more = f" and {amount(len(names) - 3, 'more node')}" if len(names) > 3 else ""
    hours = max(0, left[names[0]]) // 3600
    return [
        f"the verification of {', '.join(names[:3])}{more} will be too old in {hours} h, "
        "and then the shepherd does not lend there: run the playbook sheepfold.htcondor.verify"
    ]


def leaks(pair: Pair) -> bool:
    """Whether the last verification found something, as opposed to being old or missing."""
    return pair.verification is not None and pair.verification.result != "pass"


def _flocking(pair: Pair, settings: PolicySettings) -> str:
    flocking = pair.flocking
    if flocking is None:
        return f"the collector has no ad of the flocking startd of {pair.name}"
    if flocking.drained_by_htcondor:
        return f"{flocking.name} was drained by somebody else: {flocking.drain_reason or 'no reason given'}"
    if abs(flocking.clock_offset) > settings.lease:
        return f"the clock of {flocking.name} is {flocking.clock_offset} s off, and leases last {settings.lease} s"
    return ""


def forbidden(view: NodeView, now: int, settings: PolicySettings) -> str:
    """Why a node may not be lent, or stay lent."""
    if view.off is not None:
        return f"switched off by {view.off.owner}: {view.off.reason}"
    if view.memory.quarantined_until > now:
        return "too many commands to it failed in a row"
    return unverified(view.pair.verification, now, settings) or _flocking(view.pair, settings)


def not_now(view: NodeView, now: int, settings: PolicySettings) -> str:
    """Why a node that works locally does not go out in this cycle, though it may be lent."""
    memory, regular = view.memory, view.pair.regular
    if view.state is not PairState.LOCAL or regular is None:
        return f"it is {view.state.value}"
    if regular.busy:
        return f"works for {amount(regular.busy, 'local job')}"
    if memory.retry_at > now:
        return f"a command to it failed; next try in {memory.retry_at - now} s"
    if memory.returned_at and now - memory.returned_at < settings.dwell:
        return f"it came back {now - memory.returned_at} s ago (lent again after {settings.dwell} s)"
    if not view.sure_local:
        return "no ad of its regular startd is newer than what may be under way to it"
    if not view.sure_closed:
        return "no ad of its flocking startd is newer than what may be under way to it"
    return ""


def too_late(view: NodeView, now: int, settings: PolicySettings) -> str:
    """Why a node that is closed on both sides is not opened to the flock any more.

    A node may cancel by itself a drain of ours that nobody followed up. That must not meet an opening: so none is sent when
    the last thing that was certainly done here (begun to drain, seen open, a lease's end) is older than a lease, or than our
    memory.
    """
    regular, flocking = view.pair.regular, view.pair.flocking
    if regular is None or flocking is None or flocking.state is State.ON or flocking.busy:
        return ""
    sign = max(drain_epoch(regular.drain_reason), view.memory.open_seen, flocking.open_until)
    if max(view.memory.began, now - settings.lease) <= sign <= now:
        return ""
    return "it is closed on both sides since nobody knows when, and may open to local jobs by itself"
