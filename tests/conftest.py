"""What holds for every kind of test: default signals for what it starts, an end, and its time in the target's table.

Told to end (SIGTERM: a target's end, a CI runner's), tests end in order, and the failures so far are printed.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from .support import signals, times

_TESTS = Path(__file__).parent
#: Seconds that a test with its fixtures may take, by kind: many times what it takes on a machine that is busy with other
#: work, for a first test's roots and packages too. When they are over, the test fails with the stack of each thread.
LIMITS = {"unit": 300, "net": 1200, "pool": 1200, "site": 3600}


def _interrupt(_number: int, _frame: object) -> None:
    # Once: a second one would interrupt what follows.
    signal.signal(signal.SIGTERM, lambda *_: None)
    raise KeyboardInterrupt


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is started; in pytest-xdist's workers too."""
    signals.restore()
    # pytest-xdist's workers are told by their controller: a signal to all of the target's processes is not for them.
    signal.signal(signal.SIGTERM, (lambda *_: None) if hasattr(config, "workerinput") else _interrupt)
    if not config.pluginmanager.hasplugin("timeout"):
        # ansible-test has a pytest of its own, and an end of its own (--timeout).
        config.addinivalue_line("markers", "timeout(seconds): an end, with pytest-timeout")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(times.Times(), "sheepfold-times")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its kind's end, unless it has one of its own."""
    for item in items:
        kind = item.path.relative_to(_TESTS).parts[0] if item.path.is_relative_to(_TESTS) else "unit"
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LIMITS.get(kind, LIMITS["unit"])))
