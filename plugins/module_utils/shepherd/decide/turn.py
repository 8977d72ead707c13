# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose turn it is among the shepherds of a site with several central managers. Pure.

Each says in its own host's collector whether it acts, by which term, and what overrides it has; each reads what the others
say. One that takes over has a higher term than all before it. Two never act in the same cycle: each says that it acts before it
looks at the others, so that at least one of two sees the other one, and who sees another one acting does nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..model import Override, OverrideKind

BYTES_MOST = 512 << 10
"""of overrides that are carried"""
_COUNT_MOST = 20_000
_TEXT_MOST = 2000
_NUMBER_MOST = 1 << 40
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


@dataclass(frozen=True)
class Said:
    """What a shepherd says of itself."""

    name: str
    acts: bool
    term: int
    overrides: tuple[Override, ...] | None = None
    """None where they cannot be told"""


@dataclass(frozen=True)
class Turn:
    """What a shepherd keeps of itself."""

    acts: bool = False
    term: int = 0
    """the one by which it acted last; 0 where it never has"""
    acted: int = 0
    """when its last acting cycle began"""


class Refused(Exception):
    """A take-over that is refused; one sentence."""


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def judge(
    turn: Turn | None, name: str, others: Mapping[str, Said | None], now: int, gap: int, *, begins: bool
) -> tuple[Turn, str]:
    """What becomes of a turn, and why this cycle does nothing: empty when it acts.

    ``turn``: None where there is none yet. ``others``: what each has said, None where it has not. ``gap``: seconds after which
    one that has not acted hears all of them again before it does.
    """
    heard = [said for said in others.values() if said is not None]
    silent = sorted(other for other, said in others.items() if said is None)
    acting = sorted(said.name for said in heard if said.acts)
    if turn is None:
        if not begins or any(said.term for said in heard):
            return Turn(), _standing(acting)
        if silent:
            return Turn(), f"does not act before {_listed(silent)} has said that it stands by"
        # Said first, and looked at the others once more.
        return Turn(acts=True, term=1), "acts from the next cycle on"
    if not turn.acts:
        return turn, _standing(acting)
    ahead = sorted(
        said.name for said in heard if said.term > turn.term or (said.acts and (said.term, said.name) > (turn.term, name))
    )
    if ahead:
        return replace(turn, acts=False), f"stands by from now on: {_listed(ahead)} has taken over"
    if acting:
        return turn, f"does nothing while {_listed(acting)} acts too"
    if silent and not 0 <= now - turn.acted <= gap:
        return turn, f"does not act before {_listed(silent)} has said that it stands by, after a pause of its own"
    return replace(turn, acted=now), ""


def _standing(acting: list[str]) -> str:
    return f"stands by: {_listed(acting)} acts" if acting else "stands by, and no other one says that it acts"


def take_over(
    turn: Turn, name: str, others: Mapping[str, Said | None], carried: Said | None, *, dead: bool
) -> tuple[Turn, Said | None]:
    """The turn of one that takes over, and whose overrides it has to take: None for its own.

    ``carried``: what was kept of the last one that acted. ``dead``: those that say nothing do not run, on a person's word.
    Raises Refused.
    """
    if turn.acts:
        raise Refused(f"{name} acts already")
    for other, said in sorted(others.items()):
        if said is not None and said.acts:
            raise Refused(f"{other} acts: expected one that stands by, run there: shepherd stand-by")
        if said is None and not dead:
            raise Refused(
                f"{other} does not say whether it acts: expected one that stands by, or --other-is-dead where its host is"
                " switched off or its shepherd.service stopped and disabled"
            )
    known = [said for said in (*others.values(), carried) if said is not None]
    newest = max(known, key=lambda said: (said.term, said.overrides is not None), default=None)
    term = max([turn.term, *(said.term for said in known)]) + 1
    return Turn(acts=True, term=term), newest if newest is not None and newest.term > turn.term else None


# --- as text


def _dumped(override: Override) -> dict[str, Any]:
    values = {"kind": override.kind.value, "owner": override.owner[:_TEXT_MOST], "reason": override.reason[:_TEXT_MOST]}
    return {**values, "expires": override.expires, "evict": override.evict, "nodes": sorted(override.nodes)}


def _loaded(values: Any) -> Override:
    """Raises ValueError, LookupError or TypeError."""
    owner, reason, expires, evict, nodes = (values[name] for name in ("owner", "reason", "expires", "evict", "nodes"))
    if not all(isinstance(text, str) and len(text) <= _TEXT_MOST for text in (owner, reason)):
        raise ValueError
    if type(expires) is not int or not 0 <= expires <= _NUMBER_MOST or type(evict) is not bool or not isinstance(nodes, list):
        raise ValueError
    if not all(isinstance(node, str) and _NODE.fullmatch(node) for node in nodes):
        raise ValueError
    return Override(OverrideKind(values["kind"]), owner, reason, expires, evict, frozenset(nodes))


def dump(said: Said) -> dict[str, Any]:
    """Plain values that ``load`` reads back: numbers, truth values and texts without a quote."""
    text = "" if said.overrides is None else json.dumps([_dumped(each) for each in said.overrides], separators=(",", ":"))
    if len(text) > BYTES_MOST:
        text = ""
    return {"Name": said.name, "Acts": said.acts, "Term": said.term, "Overrides": base64.b64encode(text.encode()).decode()}


def load(values: Mapping[str, Any]) -> Said:
    """What was said. Raises ValueError when it is nothing of the kind; overrides that cannot be read are not known."""
    name, acts, term, text = (values.get(key) for key in ("Name", "Acts", "Term", "Overrides"))
    if not isinstance(name, str) or type(acts) is not bool or type(term) is not int or not 0 <= term <= _NUMBER_MOST:
        raise ValueError("no shepherd says this")
    if not isinstance(text, str) or len(text) > 2 * BYTES_MOST:
        return Said(name, acts, term)
    try:
        found = json.loads(base64.b64decode(text, validate=True))
        if not isinstance(found, list) or len(found) > _COUNT_MOST:
            raise ValueError
        return Said(name, acts, term, tuple(map(_loaded, found)))
    except (ValueError, LookupError, TypeError, RecursionError, binascii.Error):
        return Said(name, acts, term)
