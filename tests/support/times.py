"""How long tests take, for the table at the end of each target (tests/support/slowest.py)."""

from __future__ import annotations

from collections import defaultdict

import pytest

from .note import note


class Times:
    """Notes each test with its fixtures."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._outcomes: dict[str, str] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if report.outcome != "passed" or report.when == "call":
            # A fixture that failed after its test is a failure of the test.
            self._outcomes[report.nodeid] = report.outcome
        if report.when == "teardown":
            note(self._seconds.pop(report.nodeid), self._outcomes.pop(report.nodeid, "passed"), report.nodeid)
