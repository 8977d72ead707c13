"""The dated report of a full run, as a page for docs/reports."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.site import accelerator_of_running

from .plays import ROOT

DIRECTORY = ROOT / "docs" / "reports"
#: Name of the property in which a test says what it has seen.
SEEN = "seen"


def _row(report: pytest.TestReport) -> str:
    name = report.nodeid.removeprefix("tests/site/").replace("|", "/")
    seen = "; ".join(str(value) for key, value in report.user_properties if key == SEEN)
    return f"| `{name}` | {report.outcome} | {report.duration:.0f} s | {seen.replace('|', '/')} |"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip() or "unknown"


def page(reports: Sequence[pytest.TestReport], commit: str, accelerator: str, day: str, seconds: float) -> str:
    """Return the report as Markdown."""
    passed = sum(report.passed for report in reports)
    return "\n".join(
        [
            f"# The whole site's tests, {day}",
            "",
            f"`make test-site-full`, commit {commit}: {passed} of {len(reports)} tests passed in {seconds / 60:.0f} min,"
            " after a converge without failure and a second one without change.",
            f"Host: {os.cpu_count()} cores, Linux {platform.release()}; guests: {accelerator}, Debian 13.",
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
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path = DIRECTORY / f"site-full-{day}.md"
    path.write_text(page(reports, _commit(), accelerator_of_running(), day, seconds))
    return path
