# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts: truth tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.model import CLOSED, OPEN, REPORT, Attempt, Sent, Sighting
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.judge import FAILED, LEAK, PASS, REPORTED, judge

PLACES = ("f220", "p220", "submit", "remote")
BASE = Attempt(
    number=0,
    probe="private",
    what="TCP",
    sender="f220",
    who="job",
    how="tcp",
    expect=CLOSED,
    token="shf00000",
    source_port=10000,
    may=("f220:*:out", "submit:em1.2512:in"),
)
FRAME = replace(BASE, how="frame", who="root", interface="eth0")
OPENED = replace(BASE, expect=OPEN, may=("*",), must=("remote:*:in",), answered="open", seen_from="203.0.113.1")
LEFT = Sighting("shf00000", "f220:eth0:out")
THERE = Sighting("shf00000", "remote:wan:in", source="203.0.113.1")


def verdict(
    attempt: Attempt,
    *sightings: Sighting,
    outcome: str = "silent",
    sent: bool = True,
    neighbours: Any = None,
    watched: tuple[str, ...] = PLACES,
) -> str:
    noticed = [Sent(attempt.token, sent, outcome)]
    return judge([attempt], noticed, sightings, neighbours or {}, watched)[0].result


@pytest.mark.parametrize(
    ("sightings", "outcome", "expected"),
    [
        ((), "silent", PASS),
        ((), "unreachable", PASS),
        ((), "open", LEAK),
        ((), "refused", LEAK),
        ((Sighting("tcp:10000", "submit:em1.2512:in"),), "silent", PASS),
        ((Sighting("tcp:10000", "storage:em1:in"),), "silent", LEAK),
        ((Sighting("shf00000", "submit:stack"),), "silent", LEAK),
        ((Sighting("tcp:10001", "storage:em1:in"),), "silent", PASS),
        ((Sighting("tcp:10000", "submit:em1.2512:out", kind="reply"),), "silent", LEAK),
        ((Sighting("tcp:10000", "p221:em1:in", other=True),), "silent", PASS),
        ((Sighting("tcp:10000", "submit:em1.2512:out", kind="error:3/1"),), "unreachable", PASS),
        ((Sighting("tcp:10000", "submit:em1.2512:out", kind="error:3/3"),), "silent", LEAK),
        ((Sighting("tcp:10000", "submit:em1.2512:out", kind="error:5/1"),), "silent", LEAK),
    ],
)
def test_closed(sightings: tuple[Sighting, ...], outcome: str, expected: str) -> None:
    assert verdict(BASE, *sightings, outcome=outcome) == expected


def test_a_forged_frame_counts_even_in_passing() -> None:
    passing = Sighting("shf00000", "p221:em1.2512:in", other=True)
    assert verdict(FRAME, LEFT, passing) == PASS
    assert verdict(replace(FRAME, forged=True), LEFT, passing) == LEAK


def test_a_frame_that_never_left_proves_nothing() -> None:
    assert verdict(FRAME) == FAILED
    assert verdict(FRAME, LEFT, sent=False) == FAILED
    assert verdict(FRAME, LEFT) == PASS
    assert verdict(FRAME, Sighting("shf00000", "f220:eth0.1:out")) == PASS


def test_a_silent_sender_proves_nothing() -> None:
    assert judge([BASE], [], [], {}, PLACES)[0].result == FAILED


def test_poison() -> None:
    attempt = replace(FRAME, forged=True, poison=("10.27.2.221", "02:66:6f:72:67:65"))
    believed = {"10.27.2.221": "02:66:6f:72:67:65"}
    assert verdict(attempt, LEFT, neighbours={"submit": believed}) == LEAK
    assert verdict(attempt, LEFT, neighbours={"f220": believed}) == PASS
    assert verdict(attempt, LEFT, neighbours={"submit": {"10.27.2.221": "02:42:0a:1b:02:dd"}}) == PASS


@pytest.mark.parametrize(
    ("sightings", "outcome", "expected"),
    [
        ((THERE,), "open", PASS),
        ((THERE,), "silent", FAILED),
        ((), "open", FAILED),
        ((replace(THERE, source="10.27.2.220"),), "open", FAILED),
        # A connection on which nothing could be said.
        ((replace(THERE, key="tcp:10000"),), "open", FAILED),
    ],
)
def test_open(sightings: tuple[Sighting, ...], outcome: str, expected: str) -> None:
    assert verdict(OPENED, *sightings, outcome=outcome) == expected


def test_open_at_a_target_that_nobody_watches() -> None:
    assert verdict(OPENED, outcome="open", watched=("f220",)) == PASS
    assert verdict(OPENED, outcome="silent", watched=("f220",)) == FAILED


def test_open_by_a_way_that_is_none() -> None:
    attempt = replace(OPENED, may=("remote:*", "f220:*"))
    assert verdict(attempt, THERE, Sighting("shf00000", "storage:em1:in"), outcome="open") == LEAK


def test_a_kind_that_must_be_seen() -> None:
    attempt = replace(OPENED, kind="error:3/3", answered="")
    assert verdict(attempt, THERE) == FAILED
    assert verdict(attempt, replace(THERE, kind="error:3/3")) == PASS


def test_closed_or_translated() -> None:
    attempt = replace(FRAME, may=("*",), must=("remote:*:in",), seen_from="203.0.113.1")
    assert verdict(attempt, LEFT) == PASS
    assert verdict(attempt, LEFT, THERE) == PASS
    assert verdict(attempt, LEFT, replace(THERE, source="10.27.2.220")) == LEAK


def test_reported() -> None:
    assert verdict(replace(BASE, expect=REPORT), THERE) == REPORTED


def test_an_untranslated_source_is_a_leak_of_its_own() -> None:
    noticed = [Sent(BASE.token, True, "silent")]
    found = judge([BASE], noticed, [Sighting("source", "submit:wan:out", source="10.27.2.220")], {}, PLACES)
    assert [(item.result, item.attempt.probe) for item in found] == [(PASS, "private"), (LEAK, "source")]
