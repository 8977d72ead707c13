# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The daemon's worker from outside: started for the first cycle, killed with all it has started when one takes too long."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...condor.process import discard, source_of
from . import worker

_PR_SET_CHILD_SUBREAPER = 36


class CycleFailed(Exception):
    """A cycle was not completed; one sentence."""


def adopt_orphans() -> None:
    """Become the parent of whatever a killed worker leaves behind, so that it can be ended."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _children() -> list[int]:
    found: list[int] = []
    for entry in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(word) for word in (entry / "children").read_text().split()]
    return found


def end_orphans() -> None:
    """Kill the tools that a killed worker had started: each leads a session of its own and outlives it."""
    until = time.monotonic() + 2
    # Once more for those that lose their parent only now.
    while time.monotonic() < until:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


class CycleProcess:
    """The worker."""

    def __init__(self, interpreter: str = "", module: str = worker.__name__) -> None:
        """``module``: what to run, for tests."""
        self._command = [interpreter or sys.executable, "-m", module, str(os.getpid())]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id, 0 when there is none."""
        return self._process.pid if self._process else 0

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.kill()
        if self._process is None:
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": source_of(worker)},
                    start_new_session=True,
                )
            except OSError as error:
                raise CycleFailed(f"the worker cannot be started: {error.strerror}") from error
        return self._process

    def kill(self) -> None:
        """End the worker and what it has started. Safe to call twice."""
        if self._process is None:
            return
        discard(self._process)
        self._process = None
        end_orphans()

    def _answer(self, process: subprocess.Popen[bytes], deadline: float, give_up: Callable[[], bool]) -> bytes:
        if process.stdout is None:
            raise CycleFailed("the worker has no output")
        until = time.monotonic() + deadline
        descriptor, parts = process.stdout.fileno(), [b""]
        while not parts[-1].endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0:
                raise CycleFailed(f"the cycle was not done within {deadline:g} s, its worker was killed")
            if give_up():
                raise CycleFailed("the cycle was cut off, its worker was killed")
            # Short, so that a signal that came just before is looked at soon.
            if not select.select([descriptor], [], [], min(left, 0.2))[0]:
                continue
            part = os.read(descriptor, 1 << 20)
            if not part:
                raise CycleFailed("the worker ended in the middle of a cycle")
            parts.append(part)
        return b"".join(parts)

    def run(self, values: Mapping[str, Any], deadline: float, give_up: Callable[[], bool]) -> dict[str, Any]:
        """One cycle of a configuration. Raises CycleFailed; then the worker is gone, and there is a new one next time.

        ``deadline``: seconds. ``give_up``: asked several times a second whether to go on no longer.
        """
        process = self._start()
        try:
            if process.stdin is None:
                raise CycleFailed("the worker has no input")
            process.stdin.write(json.dumps(dict(values)).encode() + b"\n")
            process.stdin.flush()
            return dict(json.loads(self._answer(process, deadline, give_up)))
        except CycleFailed:
            self.kill()
            raise
        except (OSError, ValueError, TypeError) as error:
            self.kill()
            raise CycleFailed("the worker ended in the middle of a cycle") from error
