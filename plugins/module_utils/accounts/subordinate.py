# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subordinate ids (subuid(5), subgid(5)): the lines of these files, and one line of ours among others'."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

FILES = ("/etc/subuid", "/etc/subgid")


@dataclass(frozen=True)
class Range:
    """Ids that an owner may map: a name or a number, the first id, how many."""

    owner: str
    first: int
    count: int

    def overlaps(self, other: Range) -> bool:
        """Return whether an id is in both."""
        return self.first < other.first + other.count and other.first < self.first + self.count

    def __str__(self) -> str:
        return f"{self.owner}:{self.first}:{self.count}"


def parse(line: str) -> Range | None:
    """Return the range of a line; None for what newuidmap(1) would not read as one."""
    owner, _, rest = line.strip().partition(":")
    first, _, count = rest.partition(":")
    if not owner or owner.startswith("#") or not first.isdigit() or not count.isdigit():
        return None
    return Range(owner, int(first), int(count))


def ranges(text: str) -> Iterator[Range]:
    """Return the ranges of a file."""
    for line in text.splitlines():
        found = parse(line)
        if found:
            yield found


def with_range(text: str, owner: str, first: int, count: int) -> str:
    """Return the file's text with one range of this owner that begins at this id; without ids, with none.

    Every other line stays as it is, this owner's other ranges too.
    """
    before: list[str] = []
    after: list[str] = []
    seen = False
    for line in text.splitlines():
        found = parse(line)
        if found and (found.owner, found.first) == (owner, first):
            seen = True
        else:
            (after if seen else before).append(line)
    wanted = [str(Range(owner, first, count))] if count else []
    return "".join(f"{line}\n" for line in [*before, *wanted, *after])
