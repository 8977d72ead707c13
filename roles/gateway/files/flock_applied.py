# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which priorities and routing tables the gateway has used, so that what other settings left can be taken away."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

LIBRARY = os.environ.get("SHEEPFOLD_LIB", "/usr/local/lib/sheepfold")
sys.path.insert(0, LIBRARY)

from flock_net import RUN_DIRECTORY, write_atomically

#: Six rules, the barrier behind them, and the place before them.
PRIORITIES = 8


class Place(NamedTuple):
    """Where rules and routes are.

    Attributes:
        first: the first priority, which is used while the others are changed.
        table: number of the routing table.
    """

    first: int
    table: int

    def has(self, priority: int) -> bool:
        """Return whether a policy rule's priority is one of these."""
        return self.first <= priority < self.first + PRIORITIES


def _place(settings: Mapping[str, Any]) -> Place:
    return Place(int(settings["rule_priority"]) - 1, int(settings["route_table"]))


class Applied:
    """The places of the settings, and those used before them; like rules and routes it does not outlive the kernel."""

    file = RUN_DIRECTORY / "gateway.routing"

    def __init__(self, site: Mapping[str, Any], accepted: Path) -> None:
        """Take the settings, and the file with those that worked last: version 1.0 wrote down nothing else."""
        self.current = _place(site)
        self.accepted = accepted

    def all(self) -> list[Place]:
        """Return every place where something may be, the current one first."""
        try:
            known = [Place(int(first), int(table)) for first, table in json.loads(self.file.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError):
            known = self._accepted()
        return list(dict.fromkeys([self.current, *known]))

    def _accepted(self) -> list[Place]:
        try:
            return [_place(json.loads(self.accepted.read_text(encoding="utf-8")))]
        except (OSError, ValueError, TypeError, KeyError):
            return []

    def earlier(self) -> list[Place]:
        """Return the places of other settings."""
        return self.all()[1:]

    def note(self) -> None:
        """Write down that the current place comes into use, before anything is there."""
        self._write(self.all())

    def settle(self) -> None:
        """Write down that nothing is left in any other place."""
        self._write([self.current])

    def _write(self, places: list[Place]) -> None:
        text = json.dumps(places)
        if not self.file.exists() or self.file.read_text(encoding="utf-8") != text:
            write_atomically(self.file, text)

    def forget(self) -> None:
        """Write down that nothing is left anywhere."""
        self.file.unlink(missing_ok=True)
