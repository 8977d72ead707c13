# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The adapter: one object that sees a pool's startds and acts on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from . import ads
from .bindings import Bindings
from .errors import CondorError
from .goals import Action, Goal, Verb
from .incomplete import incomplete, masters_of
from .reading import Reading
from .state import Policy, Startd, describe
from .tools import Tools, parameter
from .transport import Transport


class Adapter(Protocol):
    """What the modules need of HTCondor. Every method raises CondorError."""

    def observe(self) -> Mapping[str, Startd]:
        """Every startd of the pool, by name."""

    def act(self, startd: Startd, action: Action, goal: Goal) -> None:
        """Do one thing to a startd. Returning says that it was sent, not that it came to pass."""

    def now(self) -> int:
        """Epoch seconds."""


@dataclass(frozen=True)
class Look:
    """What one collector answered: what is known of its ads, and the slots' ads themselves with what else was asked for."""

    snapshot: ads.Snapshot
    slots: tuple[Mapping[str, Any], ...]
    """in the order of ``snapshot.slots``"""


class Pool:
    """The adapter to a real pool.

    A site may have a collector of its own for flocking startds; their ads are first-hand there, and copies of them in
    the site's own collector (``FlockMirrored``) are left aside.
    """

    def __init__(
        self,
        tools: Tools,
        *,
        transport: Transport | None = None,
        collector: str = "",
        flock_collector: str = "",
        policy: Policy | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``transport``: another way than the tools for what it offers. Addresses: empty is HTCondor's configuration."""
        self.tools = tools
        self.transport: Transport = transport or tools
        self.collector = collector
        self.flock_collector = flock_collector
        self.policy = policy or Policy()
        self._clock = clock

    def now(self) -> int:
        """Epoch seconds."""
        return int(self._clock())

    def _firsthand(self, only_flock: bool) -> str:
        return "" if only_flock or not self.flock_collector else "FlockMirrored =!= true"

    def _look(self, collector: str, only_flock: bool, extra: Sequence[str]) -> Look:
        """What a collector has but for masters."""
        own = self.transport.query(collector, "Collector", ads.COLLECTOR_ATTRIBUTES)
        slots = self.transport.query(collector, "Slot", (*ads.SLOT_ATTRIBUTES, *extra), self._firsthand(only_flock))
        snapshot = ads.Snapshot(
            collector=collector,
            taken=self.now(),
            started=ads.started(own),
            slots=tuple(map(ads.SlotAd.parse, slots)),
            masters=(),
            only_flock=only_flock,
        )
        return Look(snapshot, tuple(slots))

    def _with_masters(self, look: Look, which: str) -> Look:
        known = look.snapshot
        constraint = " && ".join(filter(None, (self._firsthand(known.only_flock), which)))
        masters = self.transport.query(known.collector, "Master", ads.MASTER_ATTRIBUTES, constraint)
        # Later than every ad.
        return Look(replace(known, masters=tuple(map(ads.MasterAd.parse, masters)), taken=self.now()), look.slots)

    def look(self, extra: Sequence[str] = (), known: Collection[str] = ()) -> list[Look]:
        """The pool's ads, the flocking startds' own collector last, with ``extra`` attributes of the slots.

        ``known``: names of nodes with two startds; then only the masters of such nodes are looked at whose startds are not both
        seen. Raises CondorError when a collector does not answer.
        """
        looks = [self._look(self.collector, False, extra)]
        if self.flock_collector:
            looks.append(self._look(self.flock_collector, True, extra))
        if not known:
            return [self._with_masters(each, "") for each in looks]
        missing = incomplete((slot for each in looks for slot in each.snapshot.slots), known)
        return [self._with_masters(each, masters_of(missing)) for each in looks] if missing else looks

    def observe(self) -> Mapping[str, Startd]:
        """Every startd of the pool, by name. Raises CondorError when a collector does not answer."""
        return describe([look.snapshot for look in self.look()], self.policy)

    def act(self, startd: Startd, action: Action, goal: Goal) -> None:
        """Do one thing to a startd. Raises NotEmpty or CondorError."""
        self.send(startd, action, f"{goal.reason}/{self.now()}")

    def send(self, startd: Startd, action: Action, drain_reason: str = "") -> None:
        """Send one command, once more at once if it fails (see tools.py, bindings.py).

        ``drain_reason``: the whole text that a drain is to bear. Raises NotEmpty or CondorError.
        """
        if action.verb is Verb.DRAIN:
            self.transport.drain(startd, action.how, drain_reason)
        elif action.verb is Verb.CANCEL_DRAIN:
            self.transport.cancel_drain(startd)
        elif action.verb is Verb.START:
            self.transport.start(startd)
        elif action.verb is Verb.STOP:
            self.transport.stop(startd, action.how)
        elif action.verb is Verb.OPEN:
            self.tools.set_open_until(startd, self.now() + action.lease)
        elif action.verb is Verb.CLOSE:
            self.tools.set_open_until(startd, 0)
        else:
            self.tools.vacate(startd, action.how)


def flock_collector_of_this_host(deadline: float) -> str:
    """The collector for flocking startds that this host's configuration names, or none. Raises CondorError."""
    return parameter("FLOCK_COLLECTOR_HOST", deadline)


def connect(
    *,
    collector: str = "",
    flock_collector: str | None = None,
    tokens: str = "",
    deadline: float = 20,
    policy: Policy | None = None,
    bindings: bool = False,
    reader: Bindings | None = None,
) -> Pool:
    """The adapter to a pool, by default that of this host's configuration. Raises CondorError.

    ``flock_collector``: None for what the configuration names, empty for none. ``bindings``: go through the Python
    bindings for what they can do. ``reader``: go through these for ads alone.
    """
    if flock_collector is None:
        flock_collector = flock_collector_of_this_host(deadline)
    if tokens and Path(tokens).exists() and not Path(tokens).is_dir():
        raise CondorError(f"{tokens}: expected a directory of command tokens")
    tools = Tools(deadline, tokens)
    transport: Transport | None = None
    if bindings:
        transport = Bindings(deadline)
    elif reader is not None:
        transport = Reading(reader, tools)
    return Pool(
        tools,
        transport=transport,
        collector=collector,
        flock_collector=flock_collector,
        policy=policy,
    )
