# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The daemon: a parent that never talks to HTCondor, and a worker that it can kill.

* SIGHUP: read the configuration again (a bad one is reported and left aside) and run a cycle at once; SIGUSR1: a cycle at once;
  SIGTERM: end, after the cycle that is under way or ten seconds.
* systemd hears READY=1 after the first completed cycle and WATCHDOG=1 after every one. A cycle that found the pool unreachable is
  completed: the shepherd is well and says what is not.
* One shepherd at a time: a second one waits for the lock and says so, and is ready in the meantime.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from .. import journal
from ..config.configuration import Configuration, ConfigurationError, parse, values_in
from ..state.leader_lock import LeaderLock
from .sd_notify import Notifier
from .worker_process import CycleFailed, CycleProcess, adopt_orphans

_GRACE = 10.0
"""seconds that a cycle may take when the daemon is to end"""
_AGAIN = 30.0
"""seconds until the next cycle after one that was not completed, or a whole cycle where that is shorter"""


class Meter(Protocol):
    """Where figures go (see metrics.py)."""

    def cycle(self, found: dict[str, Any]) -> None:
        """A completed cycle."""

    def killed(self) -> None:
        """A cycle that was not completed."""


class NoMeter:
    """Nowhere."""

    def cycle(self, found: dict[str, Any]) -> None:
        """Forget it."""

    def killed(self) -> None:
        """Forget it."""


def status_line(found: dict[str, Any]) -> str:
    """A cycle in one line, for ``systemctl status``."""
    if found["error"]:
        return str(found["error"])
    cycle, states = found["cycle"], found["states"]
    nodes = ", ".join(f"{count} {state}" for state, count in states.items() if count) or "no nodes"
    line = f"{nodes}; {cycle['lent_cores']} of {cycle['cores']} cores lent; {cycle['wish']}"
    return line if not found["problems"] else f"{line}; {found['problems'][0]}"


class Daemon:
    """The parent."""

    def __init__(
        self,
        path: str,
        *,
        notifier: Notifier | None = None,
        log: journal.Log = journal.write,
        process: CycleProcess | None = None,
        meter: Callable[[Configuration], Meter] | None = None,
        poll: float = 2.0,
    ) -> None:
        """``path``: of the configuration. ``poll``: seconds between two looks at a lock that somebody else holds."""
        self.path = path
        self.notifier = notifier or Notifier()
        self.log = log
        self.process = process or CycleProcess()
        self._make_meter = meter
        self._poll = poll
        self._ending = 0.0
        self._reload = False
        self._due = True
        self._worker = 0
        self._bell, self._ring = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    # Signals

    def _on_signal(self, number: int, _frame: object) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._ending = self._ending or time.monotonic()
        self._reload = self._reload or number == signal.SIGHUP
        self._due = True

    def _give_up(self) -> bool:
        return bool(self._ending) and time.monotonic() - self._ending > _GRACE

    def _wait(self, seconds: float) -> None:
        """Wait, not longer than until the next signal."""
        if self._due or self._ending:
            return
        select.select([self._bell], [], [], max(0.0, seconds))

    def _hush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._bell, 4096):
                pass

    # The configuration

    def _load(self, last: tuple[dict[str, Any], Configuration] | None) -> tuple[dict[str, Any], Configuration]:
        """The configuration, or the last good one. Raises ConfigurationError when there is neither."""
        try:
            values = values_in(self.path)
            found = values, parse(values)
        except ConfigurationError as error:
            if last is None:
                raise
            for problem in error.problems:
                self.log("configuration", error=problem, kept="the last good one")
            return last
        if last is not None:
            self.log("configuration", read=self.path)
            if found[1].state_directory != last[1].state_directory or found[1].metrics != last[1].metrics:
                self.log("configuration", note="state_directory and metrics are those of the start until the next one")
        return found

    # Life

    def run(self) -> int:
        """Run until told to end; the exit status."""
        try:
            values, configuration = self._load(None)
        except ConfigurationError as error:
            for problem in error.problems:
                self.log("configuration", error=problem)
            return 2
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
        earlier = {number: signal.signal(number, self._on_signal) for number in numbers}
        wakeup = signal.set_wakeup_fd(self._ring, warn_on_full_buffer=False)
        lock = LeaderLock(Path(configuration.state_directory) / "lock")
        adopt_orphans()
        try:
            if not self._lead(lock):
                return 0
            return self._cycles(values, configuration)
        except OSError as error:
            self.log("end", error=f"{lock.path} cannot be used: {error.strerror}")
            return 1
        finally:
            self.notifier.tell(STOPPING=1)
            self.process.kill()
            lock.release()
            signal.set_wakeup_fd(wakeup)
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def _lead(self, lock: LeaderLock) -> bool:
        """Wait for the lock; whether it is ours (not when told to end). Raises OSError."""
        said = -1
        while not self._ending:
            if lock.acquire():
                self.log("leader", lock=str(lock.path))
                self._due = True
                return True
            holder = lock.holder()
            if holder != said:
                self.log("standby", lock=str(lock.path), holder=holder)
                said = holder
            # A second one that waits is well.
            self.notifier.tell(READY=1, STATUS=f"standby: process {holder} holds {lock.path}", WATCHDOG=1)
            self._due = False
            self._wait(self._poll)
            self._hush()
        return False

    def _meter(self, configuration: Configuration) -> Meter:
        if self._make_meter is None or configuration.metrics is None:
            return NoMeter()
        try:
            return self._make_meter(configuration)
        except (OSError, ImportError) as error:
            self.log("metrics", error=f"there are none: {error}")
            return NoMeter()

    def _cycles(self, values: dict[str, Any], configuration: Configuration) -> int:
        meter = self._meter(configuration)
        last = values, configuration
        following = 0.0
        while not self._ending:
            self._wait(following - time.monotonic())
            # In this order: a signal between the two is heard.
            self._due = False
            self._hush()
            if self._ending:
                break
            if self._reload:
                self._reload = False
                last = self._load(last)
            began = time.monotonic()
            completed = self._one(last, meter)
            cycle = last[1].settings.cycle
            following = began + cycle if completed else time.monotonic() + min(_AGAIN, cycle)
        self.log("end", reason="told to")
        return 0

    def _one(self, current: tuple[dict[str, Any], Configuration], meter: Meter) -> bool:
        values, configuration = current
        try:
            found = self.process.run(values, configuration.deadline, self._give_up)
        except CycleFailed as error:
            self.log("cycle", error=str(error))
            meter.killed()
            self.notifier.tell(STATUS=str(error))
            return False
        if self.process.pid != self._worker:
            self._worker = self.process.pid
            self.log("worker", pid=self._worker)
        meter.cycle(found)
        self.notifier.tell(READY=1, STATUS=status_line(found), WATCHDOG=1)
        return True
