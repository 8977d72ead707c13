# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snippet appends to the site's own values, appended to those that the site has for single daemons as well.

A site may have ``COLLECTOR.DENY_READ`` or ``DENY_READ_COLLECTOR``: the collector looks for these first, and would never see what
was appended to ``DENY_READ``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set

from .assignments import Assignment, assignments
from .definitions import Definition
from .lookup import daemons_named, order, permission, split

_HEAD = "# This site has these for single daemons, which do not look for what stands above.\n"
_SLOT_TYPE = re.compile(r"SLOT_TYPE_[0-9]+_(\w+)", re.ASCII)


def extended(text: str, site: Mapping[str, Definition], ours: Set[str]) -> str:
    """Return the snippet with lines for what the site has for single daemons.

    ``site`` are the definitions without any of our snippets, ``ours`` the names (in capitals) that these assign themselves.
    """
    there = [each for each in assignments(text) if each.appends]
    lines: dict[str, str] = {}
    for each in there:
        for target, source in _targets(each, {other.name for other in there}, site):
            if target not in ours:
                name = site[target].name if target in site else target
                lines[target] = f"{name} = {each.value_for(site[source].name)}\n"
    if not lines:
        return text
    return f"{text.rstrip()}\n\n{_HEAD}{''.join(lines[name] for name in sorted(lines))}"


def variants(base: str, names: Set[str]) -> list[str]:
    """Names (in capitals) that are in force for a daemon or a type of slot in place of a parameter that is no permission."""
    found = []
    for name in sorted(names):
        prefix, last = split(name)
        slot_type = _SLOT_TYPE.fullmatch(last)
        if (prefix and last == base.upper()) or (slot_type and slot_type[1] == base.upper()):
            found.append(name)
    return found


def _targets(each: Assignment, there: Set[str], site: Mapping[str, Definition]) -> Iterator[tuple[str, str]]:
    """Yield the name to assign to and the name whose value it goes on from."""
    parts = permission(each.base)
    if parts and each.prefix:
        yield from _permissions(parts, each.prefix.upper(), site)
    elif parts:
        for daemon in sorted(daemons_named(site)):
            # What the snippet appends for that daemon is more than what it appends for all.
            if f"{daemon}.{each.base.upper()}" not in there:
                yield from _permissions(parts, daemon, site)
    elif not each.prefix:
        for name in variants(each.base, set(site)):
            # A list for a type of slot comes on top of the one for all.
            if each.words is None or not _SLOT_TYPE.fullmatch(split(name)[1]):
                yield name, name


def _permissions(parts: tuple[str, str, str], daemon: str, site: Mapping[str, Definition]) -> Iterator[tuple[str, str]]:
    kind, level, _daemon = parts
    for name in site:
        prefix, base = split(name)
        other = permission(base)
        if other and other[:2] == (kind, level) and (prefix == daemon or (not prefix and other[2] == daemon)):
            yield name, name
    # A list for the level now stands before the one that the daemon has taken from another level so far.
    winner = next((name for name in order(f"{kind}_{level}", daemon) if name in site and site[name].raw), "")
    prefix, base = split(winner)
    source = permission(base)
    if source and (prefix or source[2]) and source[1] != level:
        form = f"{kind}_{level}" + (f"_{source[2]}" if source[2] else "")
        yield (f"{prefix}.{form}" if prefix else form), winner
