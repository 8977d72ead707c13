# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rulesets with one thing missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CHAIN = re.compile(r"^\s*chain (\S+) \{")
_POLICY = re.compile(r"policy drop;")


@dataclass(frozen=True)
class Mutant:
    """A ruleset without one rule, or with one chain's policy turned.

    Attributes:
        number: line of the ruleset.
        name: chain and rule, in words.
        rules: the whole ruleset as it is then.
    """

    number: int
    name: str
    rules: str


def _lines(rules: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line number, chain, line) of what is in chains."""
    chain = ""
    for number, line in enumerate(rules.splitlines()):
        opened = _CHAIN.match(line)
        if opened:
            chain = opened.group(1)
        elif line.strip() == "}":
            chain = ""
        elif chain and line.strip() and not line.strip().startswith("#"):
            yield number, chain, line.strip()


def mutants(rules: str) -> list[Mutant]:
    """Return every mutant of a ruleset, in the order of its lines."""
    found = []
    lines = rules.splitlines()
    for number, chain, line in _lines(rules):
        if line.startswith("type "):
            if _POLICY.search(line):
                changed = [*lines[:number], lines[number].replace("policy drop;", "policy accept;"), *lines[number + 1 :]]
                found.append(Mutant(number, f"{chain}: policy accept in place of drop", "\n".join(changed) + "\n"))
        else:
            found.append(Mutant(number, f"{chain}: {line}", "\n".join([*lines[:number], *lines[number + 1 :]]) + "\n"))
    return found
