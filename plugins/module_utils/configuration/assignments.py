# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The assignments in a snippet of this collection's own making: one a line."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ASSIGNMENT = re.compile(r"\s*((?:[A-Za-z_]\w*\.)*)([A-Za-z_]\w*)[ \t]*=[ \t]*(.*?)\s*$", re.ASCII)
# Words, addresses and identities, and nothing that could be a part of an expression.
_WORDS = re.compile(r"[\w.:/@*$()-]+", re.ASCII)


@dataclass(frozen=True)
class Assignment:
    """A line ``PREFIX.BASE = value``."""

    prefix: str
    """A subsystem or a local name; empty for all daemons."""
    base: str
    value: str
    line: int
    """Counted from 0."""

    @property
    def name(self) -> str:
        """The name as HTCondor compares it."""
        return (f"{self.prefix}.{self.base}" if self.prefix else self.base).upper()

    @property
    def _itself(self) -> re.Pattern[str]:
        prefix = rf"(?:{re.escape(self.prefix)}\.)?" if self.prefix else ""
        # A default is a word or one macro.
        return re.compile(rf"\$\({prefix}{re.escape(self.base)}(?::(?:[^()$]*|\$\([\w.]+\)))?\)", re.IGNORECASE)

    @property
    def appends(self) -> bool:
        """Whether what was defined before goes on to be in force."""
        return bool(self._itself.search(self.value))

    def value_for(self, name: str) -> str:
        """The value with another definition in place of the one before."""
        return self._itself.sub(lambda _match: f"$({name})", self.value)

    @property
    def words(self) -> list[str] | None:
        """What is appended to a list; None where the value is no list with words behind it."""
        match = self._itself.match(self.value)
        words = self.value[match.end() :].replace(",", " ").split() if match else []
        return words if words and all(_WORDS.fullmatch(word) for word in words) else None


def assignments(text: str) -> list[Assignment]:
    """Return the assignments of a snippet in their order."""
    found = []
    for number, line in enumerate(text.split("\n")):
        match = _ASSIGNMENT.match(line)
        if match and not line.lstrip().startswith("#"):
            found.append(Assignment(match[1].rstrip("."), match[2], match[3], number))
    return found
