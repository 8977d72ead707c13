# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the closing line counts."""

from __future__ import annotations

import sys
from collections.abc import Container
from dataclasses import dataclass, field

from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.judge import LEAK
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.report import table

from .harness import Prober, words, wrong


@dataclass
class Tally:
    """Probes tried against the whole protection, leaks found, mutants made and found out."""

    probes: int = 0
    leaks: int = 0
    killed: int = 0
    mutants: int = 0
    table: list[str] = field(default_factory=list)
    """The first report, for people."""

    def count(self, prober: Prober, left_out: Container[str] = ()) -> list[str]:
        """Run all probes, count them, and return what is wrong, in words."""
        found = wrong(prober, left_out)
        self.probes += len(prober.entries)
        if not self.table and not left_out:
            self.table = table(prober.entries, colour=sys.stdout.isatty())
        self.leaks += sum(verdict.result == LEAK for verdict in found)
        return [words(verdict) for verdict in found]

    def add(self, other: Tally) -> None:
        """Add what another process counted."""
        self.probes += other.probes
        self.leaks += other.leaks
        self.killed += other.killed
        self.mutants += other.mutants
        self.table = self.table or other.table

    def __str__(self) -> str:
        return f"{self.probes} probes, {self.leaks} leaks, mutation {self.killed}/{self.mutants}"


TALLY = Tally()
