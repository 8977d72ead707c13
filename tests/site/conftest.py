"""The lab's hosts for tests, and the evidence of what went wrong on them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

from lab import collect, ssh
from lab.topology import BY_NAME

from . import report as full_report
from .full import FULL
from .plays import REPORTS

PASSED = REPORTS / "passed"
#: What failed, in a few lines: tools/molecule shows it last.
FAILED = REPORTS / "failed"
_evidence: list[Path] = []
_reports: list[pytest.TestReport] = []
_started = time.monotonic()


@pytest.fixture(scope="session")
def guest() -> Callable[[str], Host]:
    """Return a function that gives testinfra's view of a lab host by name."""
    known: dict[str, Host] = {}

    def by_name(name: str) -> Host:
        if name not in known:
            # The command line's options are the lab's; testinfra's own ssh backend would need them a second time.
            words = ssh.command(BY_NAME[name])
            arguments = " ".join(words[1:-1])
            known[name] = testinfra.get_host(f"ssh://{words[-1]}", ssh_extra_args=arguments)
        return known[name]

    return by_name


def _last_words(report: pytest.TestReport, at_most: int = 600) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message) if crash else report.longreprtext
    return text if len(text) <= at_most else f"{text[:at_most]} ..."


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect from the hosts right after the first failure, while they still are as the test left them."""
    if report.when == "call" or report.failed:
        _reports.append(report)
    if not report.failed:
        return
    with FAILED.open("a") as failed:
        failed.write(f"{report.nodeid} ({report.when}): {_last_words(report)}\n")
    if not _evidence:
        directory = REPORTS / f"hosts-{time.strftime('%Y%m%dT%H%M%S')}"
        collect.collect(directory)
        _evidence.append(directory)


def pytest_sessionstart() -> None:
    """Forget what an earlier run has said."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    PASSED.unlink(missing_ok=True)
    FAILED.unlink(missing_ok=True)


def pytest_sessionfinish(exitstatus: int) -> None:
    """Leave a mark that nothing is to be collected; write the report of a full run."""
    if exitstatus == 0:
        PASSED.touch()
    if FULL:
        print(f"\nreport: {full_report.write(_reports, time.monotonic() - _started)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the evidence."""
    for directory in _evidence:
        terminalreporter.write_line(f"journals, rulesets and condor logs after the first failure: {directory}")
