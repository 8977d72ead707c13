# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shepherds of a site with several central managers, as a configuration names them: one acts, the others stand by.

"managers": {"name": "submit", "others": ["cm2", "cm3 10.27.1.3:9618"], "begins": true}
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,254}")


@dataclass(frozen=True)
class ManagersOptions:
    """Whose turn it is."""

    name: str = ""
    """of this host"""
    others: tuple[str, ...] = ()
    """of the other central managers: each a name, and the address of its collector where that is not the name"""
    begins: bool = False
    """whether it acts where none of them ever has"""

    def addresses(self) -> dict[str, str]:
        """The others' collectors by name."""
        return {words[0]: words[-1] for words in map(str.split, self.others)}


def managers_problems(managers: ManagersOptions, collector: str) -> list[str]:
    """What is wrong with them, a sentence each."""
    found = []
    if not _NAME.fullmatch(managers.name):
        found.append(f"managers.name is {managers.name!r}: expected the name of this host.")
    for other in managers.others:
        words = other.split()
        if len(words) not in (1, 2) or not _NAME.fullmatch(words[0]) or not _ADDRESS.fullmatch(words[-1]):
            found.append(
                f"managers.others has {other!r}: expected a central manager's name, or its name and its collector's address."
            )
        elif words[0] == managers.name:
            found.append(f"managers.others has {other!r}: expected other hosts than this one.")
    if not managers.others:
        found.append("managers.others is empty: expected the other central managers, or no managers at all.")
    if not collector or "," in collector or len(collector.split()) > 1:
        found.append(f"pool.collector is {collector!r}: expected the address of this host's collector where managers are given.")
    return found
