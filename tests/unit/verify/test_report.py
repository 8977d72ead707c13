# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report, and the hash of the running rules."""

from __future__ import annotations

import copy
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.host import nft_state
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results import report
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.collect import entries
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.judge import FAILED, LEAK, PASS, REPORTED
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.report import Entry

ENTRIES = [
    Entry("private", "TCP 10.27.1.10:22", "f220", PASS),
    Entry("private", "TCP 10.27.1.10:2049", "f220", LEAK, "seen at storage:em1:in"),
    Entry("allowed", "central manager", "f221", FAILED, "silent in place of open"),
    Entry("dns-tunnel", "query", "f221", REPORTED, "open"),
    Entry("dns", "a < b & c", "f221", PASS),
]
TABLE: list[dict[str, Any]] = [
    {"table": {"family": "inet", "name": "x", "handle": 1}},
    {"set": {"name": "denied", "flags": ["interval"], "elem": ["10.0.0.0/8"], "handle": 2}},
    {"set": {"name": "sent", "elem": ["10.27.2.220"], "handle": 3}},
    {"rule": {"handle": 4, "comment": "refused", "expr": [{"counter": {"packets": 5, "bytes": 300}}, {"drop": None}]}},
    {"rule": {"handle": 5, "expr": [{"set": {"op": "update", "elem": "saddr", "set": "@sent"}}]}},
]


def test_the_table_has_a_line_for_each_probe_and_the_worst_of_it() -> None:
    text = report.table(ENTRIES)
    assert len(text) == 1 + 4 + 1
    assert [row.result for row in report.lines(ENTRIES)] == [LEAK, FAILED, PASS, REPORTED]
    assert "f220: TCP 10.27.1.10:2049: seen at storage:em1:in" in text[1]
    assert text[-1] == "5 probes, 1 leaks, 1 controls failed"
    assert "\033[" not in "".join(text)
    assert "\033[1;31mleak\033[0m" in "".join(report.table(ENTRIES, colour=True))


def test_json_and_junit_agree() -> None:
    data = json.loads(report.as_json(ENTRIES, {"time": "now"}))
    assert (data["probes"], data["leaks"], data["controls_failed"], data["time"]) == (5, 1, 1, "now")
    tree = ElementTree.fromstring(report.as_junit(ENTRIES, "now"))
    assert len(tree.findall(".//testcase")) == 5
    assert [item.get("message") for item in tree.findall(".//failure")] == ["seen at storage:em1:in"]
    assert len(tree.findall(".//error")) == 1


@pytest.mark.parametrize(("place", "word", "leaks"), [("f220", "leak", 1), ("f221", "control-failed", 0), ("f222", "pass", 0)])
def test_attributes(place: str, word: str, leaks: int) -> None:
    lines = report.attributes(ENTRIES, when=1700000000, place=place, rules="aa", gateway_rules="bb").splitlines()
    assert "FlockVerifyTime = 1700000000" in lines
    assert f'FlockVerifyResult = "{word}"' in lines
    assert f"FlockVerifyLeaks = {leaks}" in lines
    assert 'FlockVerifyRulesHash = "aa"' in lines


def test_the_hash_knows_rules_and_not_counters() -> None:
    other = copy.deepcopy(TABLE)
    other[3]["rule"]["expr"][0]["counter"]["packets"] = 99
    other[3]["rule"]["handle"] = 77
    other[2]["set"]["elem"] = []
    assert nft_state.digest(other) == nft_state.digest(TABLE)
    other[1]["set"]["elem"] = []
    assert nft_state.digest(other) != nft_state.digest(TABLE)
    changed = copy.deepcopy(TABLE)
    changed[3]["rule"]["expr"][1] = {"accept": None}
    assert nft_state.digest(changed) != nft_state.digest(TABLE)
    assert nft_state.digest([]) == ""


def test_counters() -> None:
    assert nft_state.counters(TABLE, "p220") == {"p220:counter:refused": 5}


def test_a_capture_that_lost_packets_proves_nothing() -> None:
    seen: dict[str, Any] = {"sightings": [], "places": ["submit"], "neighbours": {}, "counters": {}, "lost": 3}
    found = entries({}, {"submit": {"seen": seen}, "p220": {"seen": {**seen, "lost": 0}}}, {})
    assert [(entry.sender, entry.result, entry.why) for entry in found] == [
        ("submit", "control-failed", "3 packets came faster than it could look")
    ]
