# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collectors of one pool: a site may have several (``COLLECTOR_HOST = a, b``), and each knows what it has heard itself.

HTCondor's tools ask any of them, each time another one. All answers of one look have to come from the same: what one has not
heard yet, because it was just restarted, says nothing about what another one has heard.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from .ads import integer, text
from .errors import CondorError
from .transport import Transport

ATTRIBUTES = ("Name", "Machine", "MyAddress", "AuthenticatedIdentity", "StatsLastUpdateTime", "StatsLifetime")
_PORT = "9618"
_SHARED = "collector"
"""the socket behind a shared port that is meant where an address names none"""


def listed(value: str) -> tuple[str, ...]:
    """The addresses in a value as ``COLLECTOR_HOST`` has it, each once."""
    return tuple(dict.fromkeys(re.split(r"[\s,]+", value.strip(" \t\r\n,")))) if value.strip(" \t\r\n,") else ()


@dataclass(frozen=True)
class _Endpoint:
    """Where a collector listens, as an address or an ad says."""

    hosts: frozenset[str]
    port: str
    socket: str

    @classmethod
    def parse(cls, address: str, *names: str) -> _Endpoint:
        """``host:port?sock=name`` or ``<ip:port?...&alias=host&sock=name>``; ``names``: more names of the host."""
        place, _, options = address.strip("<>").partition("?")
        found = re.fullmatch(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>[0-9]+))?", place)
        host, port = (found["host"], found["port"]) if found else (place, None)
        said = dict(option.partition("=")[::2] for option in options.split("&"))
        hosts = {each.strip("[]").lower() for each in (host, said.get("alias", ""), *names) if each}
        return cls(frozenset(hosts), port or _PORT, said.get("sock") or _SHARED)

    def alike(self, other: _Endpoint) -> int:
        """How much two have in common."""
        if not self.hosts & other.hosts or self.port != other.port:
            return 0
        return 2 if self.socket == other.socket else 1


def _start(updated: int, lifetime: Any) -> int:
    if not updated or type(lifetime) not in (int, float):
        return 0
    # Below 0 where its clock was set back since.
    return max(0, updated - (integer(lifetime) if lifetime > 0 else -integer(-lifetime)))


def started(ads: Sequence[dict[str, Any]], asked: str = "") -> int:
    """When a collector started, from its own ad; 0 when that does not say. ``asked``: its address, where it is known.

    A collector has other collectors' ads as well. Its own bears no identity of a sender, and its address. Where several could be
    its own, the youngest is believed. Its statistics begin with it (seen in 23.9.6 and 25.14.1).
    """
    wanted = _Endpoint.parse(asked)
    ranked = [
        (_Endpoint.parse(text(ad.get("MyAddress")), text(ad.get("Machine"))).alike(wanted) if asked else 0, ad)
        for ad in ads
        if not text(ad.get("AuthenticatedIdentity"))
    ]
    best = max([rank for rank, _ in ranked], default=0)
    since = []
    for rank, ad in ranked:
        updated, lifetime = integer(ad.get("StatsLastUpdateTime")), ad.get("StatsLifetime")
        if rank == best:
            since.append(_start(updated, lifetime))
    return max(since) if since and all(since) else 0


@dataclass(frozen=True)
class Chosen:
    """The collector that a look is taken from."""

    address: str
    """empty: as HTCondor's configuration says"""
    named: str
    """what it is called there"""


class Collectors:
    """Which of a pool's collectors is asked: one that answers and has listened for long enough, where it can be the last one."""

    def __init__(self, addresses: Sequence[str], named: str = "") -> None:
        """``addresses``: in order of preference; none for the only one of HTCondor's configuration, which calls it ``named``."""
        self._all = [Chosen(address, address) for address in addresses] or [Chosen("", named)]

    @property
    def several(self) -> bool:
        """Whether there is another one to ask when one fails."""
        return len(self._all) > 1

    def started(self, transport: Transport, chosen: Chosen, deadline: float | None = None) -> int:
        """When one started; 0 when it does not say. Raises CondorError."""
        return started(transport.query(chosen.address, "Collector", ATTRIBUTES, deadline=deadline), chosen.named)

    def choose(
        self, transport: Transport, now: Callable[[], int], deadline: float, listens: int, avoiding: Collection[Chosen] = ()
    ) -> Chosen:
        """One to ask. Raises CondorError when none answers within ``deadline``, which they share.

        ``listens``: seconds after which one has heard everybody; of younger ones the oldest is taken. Those of ``avoiding`` have
        just failed.
        """
        left = [each for each in self._all if each not in avoiding]
        if not self.several:
            return left[0]
        until, errors, young = time.monotonic() + deadline, [], []
        for position, each in enumerate(left):
            try:
                since = self.started(transport, each, max(0.1, (until - time.monotonic()) / (len(left) - position)))
            except CondorError as error:
                errors.append(f"{each.address}: {error}")
                continue
            if since and now() - since >= listens:
                return self._prefer(each)
            young.append((since or now(), position, each))
        if not young:
            raise CondorError("no collector answered: " + "; ".join(errors))
        return self._prefer(min(young)[2])

    def _prefer(self, chosen: Chosen) -> Chosen:
        self._all.sort(key=lambda each: each != chosen)
        return chosen
