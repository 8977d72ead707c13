# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order HTCondor looks for a parameter of a daemon: the first name that has a value is in force."""

from __future__ import annotations

import re
from collections.abc import Iterable

LEVELS = (
    "READ",
    "WRITE",
    "DAEMON",
    "NEGOTIATOR",
    "ADMINISTRATOR",
    "CONFIG",
    "ADVERTISE_STARTD",
    "ADVERTISE_SCHEDD",
    "ADVERTISE_MASTER",
    "DEFAULT",
)
_PERMISSION = re.compile(rf"(ALLOW|DENY)_({'|'.join(LEVELS)})(?:_(\w+))?", re.ASCII)


def split(name: str) -> tuple[str, str]:
    """Return prefix and base of a name in capitals."""
    prefix, _dot, base = name.rpartition(".")
    return prefix, base


def permission(base: str) -> tuple[str, str, str] | None:
    """Return ALLOW or DENY, the level and the daemon's name behind it; None for any other parameter."""
    match = _PERMISSION.fullmatch(base.upper())
    return (match[1], match[2], match[3] or "") if match else None


def levels(level: str) -> tuple[str, ...]:
    """The level and what is in force where a daemon has no list for it (condor_perms.cpp)."""
    if level.startswith("ADVERTISE_"):
        return (level, "DAEMON", "DEFAULT")
    return (level, "DEFAULT") if level != "DEFAULT" else (level,)


def order(base: str, subsystem: str = "", local_name: str = "") -> list[str]:
    """The names that are looked for, in capitals.

    A list of permissions may also have the daemon's name at its end, and that one is looked for first (condor_ipverify.cpp).
    """
    base, subsystem, local_name = base.upper(), subsystem.upper(), local_name.upper()
    prefixes = [f"{name}." for name in (local_name, subsystem) if name] + [""]
    parts = permission(base)
    if parts is None:
        return [prefix + base for prefix in prefixes]
    return [
        prefix + form
        for level in levels(parts[1])
        for form in ([f"{parts[0]}_{level}_{subsystem}"] if subsystem else []) + [f"{parts[0]}_{level}"]
        for prefix in prefixes
    ]


def daemons_named(names: Iterable[str]) -> set[str]:
    """The prefixes and suffixes by which these names are for single daemons."""
    found = set()
    for name in names:
        prefix, base = split(name)
        parts = permission(base)
        found |= {prefix, parts[2] if parts else ""}
    return found - {""}


def pattern(bases: Iterable[str]) -> str:
    """A regular expression for all names that may be in force in place of these, for condor_config_val -dump."""
    plain, kinds = set(), set()
    for base in bases:
        parts = permission(base)
        if parts:
            kinds.add(parts[0])
        else:
            plain.add(base)
    words = sorted(plain) + [f"{kind}_({'|'.join(LEVELS)})(_[A-Za-z0-9_]+)?" for kind in sorted(kinds)]
    return rf"^([A-Za-z0-9_.]+\.)?(SLOT_TYPE_[0-9]+_)?({'|'.join(words)})$"
