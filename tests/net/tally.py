# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the closing line counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Tally:
    """Probes tried against the whole protection, leaks found, mutants made and found out."""

    probes: int = 0
    leaks: int = 0
    killed: int = 0
    mutants: int = 0

    def __str__(self) -> str:
        return f"{self.probes} probes, {self.leaks} leaks, mutation {self.killed}/{self.mutants}"


TALLY = Tally()
