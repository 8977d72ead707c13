# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send what was decided: nodes side by side, the actions of one node in their order.

A node that hangs costs one of the places, for its deadline, and nobody else. A command that fails is sent once more at once: that
is the adapter's doing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from ..condor.errors import CondorError, NotEmpty
from ..condor.goals import Action as Command
from ..condor.state import Startd
from .model import Action, Decision, Result
from .monitoring import Monitoring, MonitoringError


class Commander(Protocol):
    """What the adapter does here."""

    def send(self, startd: Startd, action: Command, drain_reason: str = "") -> None:
        """Send one command. Raises NotEmpty or CondorError."""


@dataclass
class Sent:
    """What became of a cycle's actions."""

    results: list[Result] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """nodes whose actions were not begun before the time was up"""
    silenced: dict[str, str] = field(default_factory=dict)
    """nodes about which monitoring was told, and its name for that"""
    problems: list[str] = field(default_factory=list)


class Sender:
    """Sends; keeps its threads, and with them the sessions of their ways to HTCondor."""

    def __init__(self, make: Callable[[], Commander], at_once: int, monitoring: Monitoring) -> None:
        """``make``: a way to HTCondor for one thread alone. ``at_once``: nodes at a time."""
        self._make = make
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="shepherd")
        self._monitoring = monitoring
        self._mute = threading.Event()

    def close(self) -> None:
        """End the threads when they have done what they are at."""
        self._pool.shutdown(wait=False)

    def _commander(self) -> Commander:
        if not hasattr(self._own, "commander"):
            self._own.commander = self._make()
        made: Commander = self._own.commander
        return made

    def _tell(self, action: Action, reason: str, sent: Sent) -> None:
        """Tell monitoring before a command that it is to know of. Never keeps the command back."""
        if not self._monitoring.tells(action.verb) or self._mute.is_set():
            return
        try:
            sent.silenced[action.node] = self._monitoring.before_off(action.node, reason)
        except MonitoringError as error:
            # One that does not answer would cost every node its deadline.
            self._mute.set()
            sent.problems.append(f"monitoring was not told before {action}: {error}")

    def _node(self, decision: Decision, until: float, sent: Sent) -> None:
        for position, action in enumerate(decision.actions):
            if position == 0 and time.monotonic() > until:
                sent.skipped.append(decision.node)
                return
            self._tell(action, decision.reason, sent)
            try:
                self._commander().send(action.startd, action.command, action.drain_reason)
            except NotEmpty as error:
                sent.results.append(Result(action.node, action.verb, str(error), refused=True))
                return
            except CondorError as error:
                sent.results.append(Result(action.node, action.verb, str(error)))
                return
            sent.results.append(Result(action.node, action.verb))

    def send(self, decisions: Iterable[Decision], seconds: float) -> Sent:
        """Send all actions; none is begun after ``seconds``. Returns when the last one has ended."""
        sent, until = Sent(), time.monotonic() + seconds
        self._mute.clear()
        waiting: list[Future[None]] = [
            self._pool.submit(self._node, decision, until, sent) for decision in decisions if decision.actions
        ]
        for each in waiting:
            each.result()
        return sent
