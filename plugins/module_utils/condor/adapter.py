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
from .collectors import Chosen, Collectors, listed
from .errors import CondorError
from .goals import Goal, StartdCommand, Verb
from .hybrid_transport import HybridTransport
from .state import AdFreshness, Startd, describe
from .tools import Tools, parameter
from .transport import Transport
from .unpaired import incomplete, masters_of


class Adapter(Protocol):
    """What the modules need of HTCondor. Every method raises CondorError."""

    def observe(self) -> Mapping[str, Startd]:
        """Every startd of the pool, by name."""

    def act(self, startd: Startd, action: StartdCommand, goal: Goal) -> None:
        """Do one thing to a startd. Returning says that it was sent, not that it came to pass."""

    def now(self) -> int:
        """Epoch seconds."""


@dataclass(frozen=True)
class CollectorSlots:
    """What one collector answered: what is known of its ads, and the slots' ads themselves with what else was asked for."""

    snapshot: ads.CollectorAnswer
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
        named: str = "",
        flock_collector: str = "",
        policy: AdFreshness | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``transport``: another way than the tools for what it offers.

        Addresses: one or several, of which one is asked; empty is HTCondor's configuration, which calls the collector ``named``.
        """
        self.tools = tools
        self.transport: Transport = transport or tools
        self.flock_collector = flock_collector
        self.policy = policy or AdFreshness()
        self._clock = clock
        self._site = Collectors(listed(collector), named)
        self._flock = Collectors(listed(flock_collector)) if listed(flock_collector) else None

    def now(self) -> int:
        """Epoch seconds."""
        return int(self._clock())

    def _choose(self, collectors: Collectors, avoiding: Collection[Chosen] = ()) -> Chosen:
        # Ads of a mature collector are complete: whatever it has not heard has expired elsewhere too.
        listens = max(self.policy.stale, self.policy.settle)
        return collectors.choose(self.transport, self.now, self.tools.deadline, listens, avoiding)

    def site_collector(self) -> str:
        """The address of a collector of the site that answers; empty for that of the configuration. Raises CondorError."""
        return self._choose(self._site).address

    def _firsthand(self, only_flock: bool) -> str:
        return "" if only_flock or self._flock is None else "FlockMirrored =!= true"

    def _slots_of(self, only_flock: bool) -> str:
        return ads.FLOCKING_SLOTS if only_flock else self._firsthand(only_flock)

    def _slots(self, collectors: Collectors, chosen: Chosen, extra: Sequence[str]) -> CollectorSlots:
        only_flock = collectors is self._flock
        found = self.transport.query(chosen.address, "Slot", (*ads.SLOT_ATTRIBUTES, *extra), self._slots_of(only_flock))
        snapshot = ads.CollectorAnswer(
            collector=chosen.address,
            taken=self.now(),
            started=0,
            slots=tuple(map(ads.SlotAd.parse, found)),
            masters=(),
            only_flock=only_flock,
        )
        return CollectorSlots(snapshot, tuple(found))

    def _finished(self, collectors: Collectors, chosen: Chosen, look: CollectorSlots, which: str | None) -> CollectorSlots:
        """With the masters of a constraint (None: without any), and since when the collector listens."""
        masters: list[dict[str, Any]] = []
        if which is not None:
            constraint = " && ".join(filter(None, (self._firsthand(look.snapshot.only_flock), which)))
            masters = self.transport.query(chosen.address, "Master", ads.MASTER_ATTRIBUTES, constraint)
        # Asked last: one that was restarted meanwhile says that it is young.
        since = collectors.started(self.transport, chosen)
        parsed = tuple(map(ads.MasterAd.parse, masters))
        # Later than every ad.
        return CollectorSlots(replace(look.snapshot, masters=parsed, started=since, taken=self.now()), look.slots)

    def _elsewhere(self, collectors: Collectors, failed: Chosen, extra: Sequence[str], error: CondorError) -> CollectorSlots:
        """A whole look at another one of the same pool. Raises CondorError, ``error`` when there is none."""
        if not collectors.several:
            raise error
        chosen = self._choose(collectors, (failed,))
        return self._finished(collectors, chosen, self._slots(collectors, chosen, extra), "")

    def look(self, extra: Sequence[str] = (), known: Collection[str] = ()) -> list[CollectorSlots]:
        """The pool's ads, the flocking startds' own collector last, with ``extra`` attributes of the slots.

        ``known``: names of nodes with two startds; then only the masters of such nodes are looked at whose startds are not both
        seen. All ads of a pool are those of one collector; where it has several, another one is asked when one fails. Raises
        CondorError when no collector of a pool answers.
        """
        pools = [self._site] if self._flock is None else [self._site, self._flock]
        begun: list[tuple[Collectors, Chosen, CollectorSlots, bool]] = []
        for collectors in pools:
            chosen = self._choose(collectors)
            try:
                begun.append((collectors, chosen, self._slots(collectors, chosen, extra), False))
            except CondorError as error:
                begun.append((collectors, chosen, self._elsewhere(collectors, chosen, extra, error), True))
        missing = incomplete((slot for _, _, each, _ in begun for slot in each.snapshot.slots), known) if known else set()
        which = None if known and not missing else masters_of(missing) if known else ""
        looks = []
        for collectors, chosen, each, whole in begun:
            if whole:
                looks.append(each)
                continue
            try:
                looks.append(self._finished(collectors, chosen, each, which))
            except CondorError as error:
                looks.append(self._elsewhere(collectors, chosen, extra, error))
        return looks

    def newest_copy(self, collector: str, machines: Collection[str]) -> int:
        """When this collector of the site last heard a copy of one of these flocking startds' ads; 0 where it has none.

        Raises CondorError.
        """
        constraint = f"FlockMirrored =?= true && member(Machine, {ads.texts_of(machines)})"
        found = self.transport.query(collector, "Slot", ("LastHeardFrom",), constraint)
        return max((ads.integer(ad.get("LastHeardFrom")) for ad in found), default=0)

    def observe(self) -> Mapping[str, Startd]:
        """Every startd of the pool, by name. Raises CondorError when a collector does not answer."""
        return describe([look.snapshot for look in self.look()], self.policy)

    def act(self, startd: Startd, action: StartdCommand, goal: Goal) -> None:
        """Do one thing to a startd. Raises NotEmpty or CondorError."""
        self.send(startd, action, f"{goal.reason}/{self.now()}")

    def send(self, startd: Startd, action: StartdCommand, drain_reason: str = "") -> None:
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


def collectors_of_this_host(deadline: float) -> str:
    """The collectors of the site that this host's configuration names. Raises CondorError."""
    return parameter("COLLECTOR_HOST", deadline)


def flock_collector_of_this_host(deadline: float) -> str:
    """The collector for flocking startds that this host's configuration names, or none. Raises CondorError."""
    return parameter("FLOCK_COLLECTOR_HOST", deadline)


def connect(
    *,
    collector: str = "",
    flock_collector: str | None = None,
    tokens: str = "",
    deadline: float = 20,
    policy: AdFreshness | None = None,
    bindings: bool = False,
    reader: Bindings | None = None,
) -> Pool:
    """The adapter to a pool, by default that of this host's configuration. Raises CondorError.

    ``collector``: one address or several of the same pool. ``flock_collector``: None for what the configuration names, empty for
    none. ``bindings``: go through the Python bindings for what they can do. ``reader``: go through these for ads alone.
    """
    if flock_collector is None:
        flock_collector = flock_collector_of_this_host(deadline)
    if tokens and Path(tokens).exists() and not Path(tokens).is_dir():
        raise CondorError(f"{tokens}: expected a directory of command tokens")
    named = collector or collectors_of_this_host(deadline)
    if len(listed(named)) > 1:
        collector = named
    tools = Tools(deadline, tokens)
    transport: Transport | None = None
    if bindings:
        transport = Bindings(deadline)
    elif reader is not None:
        transport = HybridTransport(reader, tools)
    return Pool(
        tools,
        transport=transport,
        collector=collector,
        named=named,
        flock_collector=flock_collector,
        policy=policy,
    )
