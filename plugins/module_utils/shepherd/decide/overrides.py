# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Overrides: files by which a person switches lending off or holds a node. Pure: text in, values out.

A file has lines ``name: value``; ``#`` begins a comment. All are optional, so that an empty file (the talk's ``/tmp/flockoff``)
switches everything off:

    owner: alice
    reason: power work in row 3
    expires: 2026-12-24T08:00:00+00:00
    mode: evict
    nodes: p220 p221

``expires`` is a date with its offset from UTC, or epoch seconds; ``mode`` is drain (default) or evict.
What cannot be read switches off as well: somebody wanted something, and off is the side on which no harm is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from ..model import Override, OverrideKind

_NAMES = ("owner", "reason", "expires", "mode", "nodes")


@dataclass(frozen=True)
class Parsed:
    """An override, and what was wrong with its file: one sentence, empty when nothing was."""

    override: Override
    problem: str = ""


def _expires(text: str) -> int:
    """Raises ValueError."""
    if text.isascii() and text.isdigit():
        expires = int(text)
        # Whatever is later than every date is none.
        datetime.fromtimestamp(expires, timezone.utc)
        return expires
    # Python before 3.11 does not know the letter Z.
    moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    if moment.tzinfo is None:
        raise ValueError
    return int(moment.timestamp())


def _lines(text: str, source: str) -> tuple[dict[str, str], str]:
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        content = line.split("#", 1)[0].strip()
        if not content:
            continue
        name, colon, value = content.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or name not in _NAMES or name in values:
            return (
                values,
                f"{source}: line {number} is {content!r}: expected one line each of {', '.join(_NAMES)}, as name: value.",
            )
        values[name] = value
    return values, ""


def parse(text: str, *, source: str, owner: str, kind: OverrideKind = OverrideKind.OFF) -> Parsed:
    """What a file asks for. ``owner``: whose file it is, used where the text names nobody."""
    values, problem = _lines(text, source)
    expires = 0
    if not problem and values.get("expires"):
        try:
            expires = _expires(values["expires"])
        except (ValueError, OverflowError, OSError):
            problem = (
                f"{source}: expires is {values['expires']!r}: expected a date with its offset from UTC, "
                "as 2026-12-24T08:00:00+00:00, or epoch seconds."
            )
    mode = values.get("mode", "drain") or "drain"
    if not problem and mode not in ("drain", "evict"):
        problem = f"{source}: mode is {mode!r}: expected drain or evict."
    override = Override(
        kind=kind,
        owner=values.get("owner") or owner,
        reason=values.get("reason") or "no reason given",
        expires=expires,
        evict=not problem and mode == "evict",
        # A line that cannot be read may have named nodes: then which ones is not known, and all are meant.
        nodes=frozenset() if problem else frozenset(values.get("nodes", "").replace(",", " ").split()),
        source=source,
    )
    return Parsed(override, problem)


def _one_line(text: str) -> str:
    return " ".join(text.replace("#", " ").split())


def render(override: Override) -> str:
    """The file that ``parse`` reads back."""
    lines = [f"owner: {_one_line(override.owner)}", f"reason: {_one_line(override.reason)}"]
    if override.expires:
        lines.append(f"expires: {datetime.fromtimestamp(override.expires, timezone.utc).isoformat()}")
    if override.evict:
        lines.append("mode: evict")
    if override.nodes:
        lines.append(f"nodes: {' '.join(sorted(override.nodes))}")
    return "\n".join(lines) + "\n"


def is_honoured(owner: str, allowed: Iterable[str]) -> bool:
    """Whether a file of ``owner`` counts: where anybody can create one (``/tmp``), only those named may."""
    return owner in set(allowed)


def in_force(overrides: Iterable[Override], now: int) -> tuple[Override, ...]:
    """Those that have not expired."""
    return tuple(each for each in overrides if not each.expires or now < each.expires)


def for_node(overrides: Iterable[Override], node: str, kind: OverrideKind) -> Override | None:
    """The override of one kind that applies to a node; one that evicts comes before one that does not."""
    own = node.lower()
    found = [each for each in overrides if each.kind is kind and (not each.nodes or own in map(str.lower, each.nodes))]
    return min(found, key=lambda each: not each.evict, default=None)
