# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All hosts' results put together and judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model import Attempt, Sent, Sighting
from .judge import FAILED, REPORTED, judge
from .report import Entry


def entries(sent: Mapping[str, Any], seen: Mapping[str, Any], containers: Mapping[str, str]) -> list[Entry]:
    """Return the whole report's entries.

    Args:
        sent: what probe_send returned, by host.
        seen: what probe_watch returned, by host.
        containers: the container of each node that was to be probed.
    """
    attempts = [Attempt.from_dict(item) for one in sent.values() for item in one["attempts"]]
    noticed = [Sent(**item) for one in sent.values() for item in one["sent"]]
    sightings = [Sighting(**item) for one in seen.values() for item in one["seen"]["sightings"]]
    watched = [place for one in seen.values() for place in one["seen"]["places"]]
    neighbours = {place: table for one in seen.values() for place, table in one["seen"]["neighbours"].items()}
    counted = {point for one in seen.values() for point, count in one["seen"]["counters"].items() if count > 0}
    sightings += counted_sightings(attempts, counted)
    found = [
        Entry(verdict.attempt.probe, verdict.attempt.what, verdict.attempt.sender, verdict.result, verdict.why)
        for verdict in judge(attempts, noticed, sightings, neighbours, watched)
    ]
    found += [
        Entry("canary", "what the capture lost", host, FAILED, f"{one['seen']['lost']} packets came faster than it could look")
        for host, one in seen.items()
        if one["seen"]["lost"]
    ]
    found += [
        Entry("canary", "the node takes part", place, FAILED, f"{node} was not probed: it cannot be reached, or has no container")
        for node, place in containers.items()
        if node not in sent
    ]
    for host, one in sent.items():
        place = containers.get(host, host)
        found += [Entry(item["probe"], item["what"], place, item["result"], item["why"]) for item in one["inside"]]
        if one["skipped_root"]:
            found.append(Entry("spoof", "root's probes left out", place, REPORTED, one["skipped_root"]))
    return found


def counted_sightings(attempts: list[Attempt], points: set[str]) -> list[Sighting]:
    """Return sightings for the attempts that only watch for a counter (or the like) to move."""
    return [
        Sighting(attempt.token, point)
        for attempt in attempts
        if attempt.how == "none"
        for point in attempt.must
        if point in points
    ]
