"""The dated report of a full run, as a page for docs/reports."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.site import accelerator_of_running
from tests.support import report as common

#: Name of the property in which a test says what it has seen.
SEEN = "seen"


def _row(report: pytest.TestReport) -> str:
    name = report.nodeid.removeprefix("tests/site/").replace("|", "/")
    seen = "; ".join(str(value) for key, value in report.user_properties if key == SEEN)
    return f"| `{name}` | {report.outcome} | {report.duration:.0f} s | {seen.replace('|', '/')} |"


def page(reports: Sequence[pytest.TestReport], commit: str, accelerator: str, day: str, seconds: float) -> str:
    """Return the report as Markdown."""
    passed = sum(report.passed for report in reports)
    return "\n".join(
        [
            f"# The whole site's tests, {day}",
            "",
            f"`make test-site-full`, commit {commit}: {passed} of {len(reports)} tests passed in {seconds / 60:.0f} min,"
            " after a converge without failure and a second one without change.",
            f"{common.host()}; guests: {accelerator}, Debian 13.",
            "",
            "| test | outcome | took | seen |",
            "|---|---|---|---|",
            *(_row(report) for report in reports),
            "",
        ]
    )


def write(reports: Sequence[pytest.TestReport], seconds: float) -> Path:
    """Write the report of today and return where it is."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    common.DIRECTORY.mkdir(parents=True, exist_ok=True)
    path = common.DIRECTORY / f"site-full-{day}.md"
    path.write_text(page(reports, common.commit(), accelerator_of_running(), day, seconds))
    return path
