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
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from ...condor.errors import CondorError, NotEmpty
from ...condor.goals import StartdCommand
from ...condor.state import Startd
from ..model import Decision, NodeAction, Result
from .monitoring import Monitoring, MonitoringError


class Commander(Protocol):
    """What the adapter does here."""

    def send(self, startd: Startd, action: StartdCommand, drain_reason: str = "") -> None:
        """Send one command. Raises NotEmpty or CondorError."""


@dataclass
class Dispatched:
    """What became of a cycle's actions."""

    results: list[Result] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """nodes whose actions were not begun before the time was up"""
    silenced: dict[str, str] = field(default_factory=dict)
    """nodes about which monitoring was told, and its name for that"""
    problems: list[str] = field(default_factory=list)


_SLOW = 0.5
"""seconds at one node after which others take over what waits at a place"""


class _Waiting:
    """What is to be sent, by places: a node is commanded from where it was last time, which has a session with it.

    A place that has nothing left takes from the one that has most, and from one that hangs all that waits there.
    """

    def __init__(self, decisions: Iterable[Decision], homes: dict[str, int], places: int) -> None:
        self._homes = homes
        self._new: deque[Decision] = deque()
        self._at: list[deque[Decision]] = [deque() for _ in range(places)]
        self._began = [0.0] * places
        self._changed = threading.Condition()
        for decision in decisions:
            (self._at[homes[decision.node]] if decision.node in homes else self._new).append(decision)

    def _choose(self, place: int) -> deque[Decision] | None:
        for own in (self._at[place], self._new):
            if own:
                return own
        now = time.monotonic()
        longest = max(self._at, key=len)
        if len(longest) > 1:
            return longest
        return next((queue for queue, began in zip(self._at, self._began) if queue and 0 < began < now - _SLOW), None)

    def next(self, place: int) -> Decision | None:
        """What to send next from a place; None when nothing waits any more."""
        with self._changed:
            self._began[place] = 0
            self._changed.notify_all()
            while self._new or any(self._at):
                queue = self._choose(place)
                if queue is not None:
                    decision = queue.popleft()
                    self._homes[decision.node] = place
                    self._began[place] = time.monotonic()
                    return decision
                self._changed.wait(_SLOW / 5)
        return None


class Sender:
    """Sends; keeps its places, and with them the sessions of their ways to HTCondor."""

    def __init__(self, make: Callable[[], Commander], at_once: int, monitoring: Monitoring) -> None:
        """``make``: a way to HTCondor for one place alone. ``at_once``: places, nodes at a time."""
        self._make = make
        self._commanders: dict[int, Commander] = {}
        self._homes: dict[str, int] = {}
        self._places = at_once
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="shepherd")
        self._monitoring = monitoring
        self._mute = threading.Event()

    def close(self) -> None:
        """End the threads when they have done what they are at."""
        self._pool.shutdown(wait=False)

    def _tell(self, action: NodeAction, reason: str, sent: Dispatched) -> None:
        """Tell monitoring before a command that it is to know of. Never keeps the command back."""
        if not self._monitoring.tells(action.verb) or self._mute.is_set():
            return
        try:
            sent.silenced[action.node] = self._monitoring.before_off(action.node, reason)
        except MonitoringError as error:
            # One that does not answer would cost every node its deadline.
            self._mute.set()
            sent.problems.append(f"monitoring was not told before {action}: {error}")

    def _node(self, commander: Commander, decision: Decision, until: float, sent: Dispatched) -> None:
        for position, action in enumerate(decision.actions):
            if position == 0 and time.monotonic() > until:
                sent.skipped.append(decision.node)
                return
            self._tell(action, decision.reason, sent)
            try:
                commander.send(action.startd, action.command, action.drain_reason)
            except NotEmpty as error:
                sent.results.append(Result(action.node, action.verb, str(error), refused=True))
                return
            except CondorError as error:
                sent.results.append(Result(action.node, action.verb, str(error)))
                return
            sent.results.append(Result(action.node, action.verb))

    def _serve(self, place: int, waiting: _Waiting, until: float, sent: Dispatched) -> None:
        while (decision := waiting.next(place)) is not None:
            if place not in self._commanders:
                self._commanders[place] = self._make()
            self._node(self._commanders[place], decision, until, sent)

    def send(self, decisions: Iterable[Decision], seconds: float) -> Dispatched:
        """Send all actions; none is begun after ``seconds``. Returns when the last one has ended."""
        sent, until = Dispatched(), time.monotonic() + seconds
        self._mute.clear()
        waiting = _Waiting([each for each in decisions if each.actions], self._homes, self._places)
        places: list[Future[None]] = [
            self._pool.submit(self._serve, place, waiting, until, sent) for place in range(self._places)
        ]
        for each in places:
            each.result()
        return sent
