# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report: a table for people, JSON for programs, JUnit for whoever collects test results, attributes for an ad."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from ..probes.catalogue import BY_NAME, PROBES
from .judge import FAILED, LEAK, PASS, REPORTED

_COLOURS = {PASS: "32", LEAK: "1;31", FAILED: "1;33", REPORTED: "36"}
#: Of the report as JSON. A release reads the format before its own, too.
FORMAT = 1
_WORST = (LEAK, FAILED, REPORTED, PASS)


@dataclass(frozen=True)
class Entry:
    """One thing that was tried: probe, what, from where, result, why."""

    probe: str
    what: str
    sender: str
    result: str
    why: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it as what JSON can hold."""
        return dict(vars(self))


@dataclass(frozen=True)
class Line:
    """All entries of one probe."""

    number: int
    title: str
    expected: str
    tried: int
    result: str
    detail: str


def count(entries: Iterable[Entry], result: str) -> int:
    """Return how many entries have a result."""
    return sum(entry.result == result for entry in entries)


def lines(entries: Sequence[Entry]) -> list[Line]:
    """Return one line for each probe that was tried, in the catalogue's order."""
    found = []
    for probe in PROBES:
        own = [entry for entry in entries if entry.probe == probe.name]
        if not own:
            continue
        worst = next(result for result in _WORST if any(entry.result == result for entry in own))
        bad = [entry for entry in own if entry.result == worst and worst != PASS]
        detail = "; ".join(f"{entry.sender}: {entry.what}: {entry.why}" for entry in bad[:2])
        detail += f"; and {len(bad) - 2} more" if len(bad) > 2 else ""
        found.append(Line(probe.number, probe.title, probe.expected, len(own), worst, detail))
    return found


def table(entries: Sequence[Entry], colour: bool = False) -> list[str]:
    """Return the table, one text for each line of it."""
    rows = lines(entries)
    title = max([len(row.title) for row in rows] or [0])
    expected = max([len(row.expected) for row in rows] or [0])
    text = [f"{'#':>2}  {'probe':<{title}}  {'tried':>5}  {'expected':<{expected}}  result"]
    for row in rows:
        result = f"\033[{_COLOURS[row.result]}m{row.result}\033[0m" if colour else row.result
        number = str(row.number) if row.number else ""
        line = f"{number:>2}  {row.title:<{title}}  {row.tried:>5}  {row.expected:<{expected}}  {result}"
        text.append(f"{line}  {row.detail}".rstrip())
    text.append(summary(entries))
    return text


def summary(entries: Sequence[Entry]) -> str:
    """Return the closing line."""
    leaks, failed = count(entries, LEAK), count(entries, FAILED)
    return f"{len(entries)} probes, {leaks} leaks" + (f", {failed} controls failed" if failed else "")


def as_json(entries: Sequence[Entry], more: Mapping[str, Any]) -> str:
    """Return the whole report as JSON."""
    body = {
        "format": FORMAT,
        **more,
        "probes": len(entries),
        "leaks": count(entries, LEAK),
        "controls_failed": count(entries, FAILED),
        "results": [{**entry.as_dict(), "number": BY_NAME[entry.probe].number} for entry in entries],
    }
    return json.dumps(body, indent=2) + "\n"


def as_junit(entries: Sequence[Entry], when: str) -> str:
    """Return the report in JUnit's form: a suite for each probe."""
    root = ElementTree.Element("testsuites", name="sheepfold verify")
    for probe in PROBES:
        own = [entry for entry in entries if entry.probe == probe.name]
        if not own:
            continue
        failures, errors = str(count(own, LEAK)), str(count(own, FAILED))
        attributes = {"name": probe.name, "tests": str(len(own)), "failures": failures, "errors": errors, "timestamp": when}
        suite = ElementTree.SubElement(root, "testsuite", attributes)
        for entry in own:
            case = ElementTree.SubElement(suite, "testcase", name=entry.what, classname=f"{probe.name}.{entry.sender}")
            kinds = {LEAK: "failure", FAILED: "error", REPORTED: "system-out"}
            if entry.result in kinds:
                note = ElementTree.SubElement(case, kinds[entry.result])
                note.text = entry.why
                if entry.result != REPORTED:
                    note.set("message", entry.why)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def attributes(entries: Sequence[Entry], *, when: int, place: str, rules: str, gateway_rules: str) -> str:
    """Return the attributes for a machine ad, about one container and the site's controls.

    Args:
        entries: of the whole run.
        when: seconds since 1970.
        place: the node's container.
        rules: hash of the node's rules as they ran.
        gateway_rules: hash of the gateway's.
    """
    own = [entry for entry in entries if entry.sender == place]
    leaks, failed = count(own, LEAK), count(own, FAILED)
    word = "leak" if leaks else "control-failed" if failed else "pass"
    values = {
        "Time": str(when),
        "Result": f'"{word}"',
        "Probes": str(len(own)),
        "Leaks": str(leaks),
        "ControlsFailed": str(failed),
        "RulesHash": f'"{rules}"',
        "GatewayRulesHash": f'"{gateway_rules}"',
    }
    return "".join(f"FlockVerify{name} = {value}\n" for name, value in values.items())
