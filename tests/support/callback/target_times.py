"""How long each task of a play took, for the table at the end of a target (tests/support/slowest.py)."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from tests.support.note import FILE, note

DOCUMENTATION = """
name: target_times
type: aggregate
short_description: note how long tasks take
description: Adds a line for each task to the file that the environment variable SHEEPFOLD_TIMES names.
"""

#: Shorter ones are not worth a line.
_LEAST = 0.5


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Notes a task when the next one, or the end, comes."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "target_times"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any) -> None:
        """Nothing runs yet."""
        super().__init__(*arguments)
        if not os.environ.get(FILE):
            self.disabled = True
        self._playbook = self._task = ""
        self._began = 0.0
        self._failed = False

    def _next(self, task: str) -> None:
        seconds = time.monotonic() - self._began
        if self._task and seconds >= _LEAST:
            note(seconds, "failed" if self._failed else "passed", f"{self._playbook}: {self._task}")
        self._task, self._began, self._failed = task, time.monotonic(), False

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Remember its name."""
        self._playbook = Path(playbook._file_name).name

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Another task."""
        self._next(task.get_name())

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Another handler."""
        self._next(task.get_name())

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """It failed on a host."""
        self._failed = self._failed or not ignore_errors

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The last one is over."""
        self._next("")
