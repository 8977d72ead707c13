# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From attempts, what their senders noticed and what was seen: pass or leak. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from ..model import CLOSED, OPEN, ROOT, Attempt, Sent, Sighting, Verdict

PASS, LEAK, FAILED, REPORTED = "pass", "leak", "control-failed", "reported"
# ICMP errors of a router that says no are no leak; a host that says "no such port" or "no such protocol" was reached.
# A redirect would have the sender talk to somebody else.
_REACHED = ("error:3/2", "error:3/3", "error:1/4", "error:5/")


def judge(
    attempts: Sequence[Attempt],
    sent: Iterable[Sent],
    sightings: Iterable[Sighting],
    neighbours: Mapping[str, Mapping[str, str]],
    watched: Iterable[str],
) -> list[Verdict]:
    """Return a verdict for each attempt, and one for each packet of the flock seen outside untranslated.

    Args:
        attempts: of the run.
        sent: what the senders noticed.
        sightings: what all captures saw.
        neighbours: the neighbour table of each place, afterwards.
        watched: places that had a capture.
    """
    by_key: dict[str, list[Sighting]] = {}
    for sighting in sightings:
        by_key.setdefault(sighting.key, []).append(sighting)
    by_token = {item.token: item for item in sent}
    places = set(watched)
    verdicts = []
    for attempt in attempts:
        seen = [*by_key.get(attempt.token, ()), *by_key.get(f"tcp:{attempt.source_port}", ())]
        noticed = by_token.get(attempt.token)
        if noticed is None:
            verdicts.append(Verdict(attempt, FAILED, "its sender said nothing about it"))
        elif attempt.expect == CLOSED:
            verdicts.append(_closed(attempt, noticed, seen, neighbours))
        elif attempt.expect == OPEN:
            verdicts.append(_open(attempt, noticed, seen, places))
        else:
            verdicts.append(Verdict(attempt, REPORTED, _told(noticed, seen)))
    if attempts:
        verdicts += [_untranslated(attempts[0], item) for item in by_key.get("source", ())]
    return verdicts


def _untranslated(attempt: Attempt, sighting: Sighting) -> Verdict:
    """Return the verdict on a packet with one of the flock's own addresses, seen where there must be none."""
    what = f"packets from {sighting.source} outside the VLAN"
    return Verdict(replace(attempt, probe="source", what=what, who=ROOT, frames=(), payload=""), LEAK, _words(sighting))


def _words(sighting: Sighting) -> str:
    kind = "" if sighting.kind == "frame" else f" ({sighting.kind})"
    return f"seen at {sighting.point}{kind}"


def _told(noticed: Sent, seen: Sequence[Sighting]) -> str:
    return "; ".join([noticed.outcome, *sorted({item.point for item in seen})])


def _matches(point: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(point, pattern) for pattern in patterns)


def _is_leak(attempt: Attempt, sighting: Sighting) -> bool:
    if sighting.kind.startswith("error:") and not sighting.kind.startswith(_REACHED):
        return False
    if sighting.other and not attempt.forged:
        return False
    return not _matches(sighting.point, attempt.may)


def _closed(attempt: Attempt, noticed: Sent, seen: Sequence[Sighting], neighbours: Mapping[str, Mapping[str, str]]) -> Verdict:
    leaks = [item for item in seen if _is_leak(attempt, item)]
    if leaks:
        return Verdict(attempt, LEAK, _words(leaks[0]))
    outside = [
        item for item in seen if item.source != attempt.seen_from and item.kind == "frame" and _matches(item.point, attempt.must)
    ]
    if attempt.seen_from and outside:
        return Verdict(attempt, LEAK, f"{_words(outside[0])} from {outside[0].source}")
    if noticed.outcome in ("open", "refused"):
        return Verdict(attempt, LEAK, f"the sender was answered: {noticed.outcome}")
    if attempt.poison:
        address, mac = attempt.poison
        for place, table in neighbours.items():
            if table.get(address) == mac and place != attempt.sender:
                return Verdict(attempt, LEAK, f"{place} believes that {address} is at {mac}")
    left = f"{attempt.sender}:{attempt.interface}*:out"  # with the number of a tag behind the interface
    if attempt.how == "frame" and not (noticed.sent and any(fnmatchcase(item.point, left) for item in seen)):
        return Verdict(attempt, FAILED, f"could not be sent: {noticed.outcome}")
    return Verdict(attempt, PASS, "" if noticed.sent else f"refused at once: {noticed.outcome}")


def _open(attempt: Attempt, noticed: Sent, seen: Sequence[Sighting], places: set[str]) -> Verdict:
    if not noticed.sent:
        return Verdict(attempt, FAILED, f"could not be sent: {noticed.outcome}")
    if attempt.answered and noticed.outcome != attempt.answered:
        return Verdict(attempt, FAILED, f"{noticed.outcome} in place of {attempt.answered}")
    wrong = [item for item in seen if not item.other and not _matches(item.point, attempt.may)]
    if wrong and attempt.may:
        return Verdict(attempt, LEAK, _words(wrong[0]))
    for pattern in attempt.must:
        if pattern.split(":", 1)[0] not in places:
            continue
        # The token, not only a SYN: a connection on which nothing can be said is none.
        there = [item for item in seen if fnmatchcase(item.point, pattern) and item.kind.startswith(attempt.kind)]
        there = [item for item in there if item.key == attempt.token]
        if not there:
            return Verdict(attempt, FAILED, f"not seen at {pattern}")
        own = pattern.startswith(f"{attempt.sender}:")
        if attempt.seen_from and not own and not any(item.source == attempt.seen_from for item in there):
            return Verdict(attempt, FAILED, f"seen at {pattern} from {there[0].source}, expected from {attempt.seen_from}")
    return Verdict(attempt, PASS)
