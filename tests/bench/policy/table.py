# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table for people, and the figures with their goals. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from tests.bench.figures import Figure, at_least, at_most

from .runs import CLAIRVOYANT, CONTROLLERS, FEEDBACK, OURS, TALK, Figures

COLUMNS: dict[str, tuple[str, int]] = {
    "harvest_share": ("foreign work, share of the clairvoyant's", 3),
    "profile_share": ("of a pool whose jobs move", 3),
    "wait_mean": ("added wait, mean (cycles)", 2),
    "wait_p95": ("added wait, p95 (cycles)", 2),
    "badput_share": ("badput share", 4),
    "toggles": ("toggles per node and day", 2),
}
GOALS: dict[str, tuple[str, str, float, str]] = {
    "harvest_share": ("harvest_share", ">=", 0.95, "share of the clairvoyant's core hours"),
    "wait_p95": ("local_wait_p95_cycles", "<=", 1.0, "cycles of 300 s"),
    "badput_share": ("badput_share", "<=", 0.02, "share of foreign core hours"),
}


def values(rows: Sequence[Figures], load: str, controller: str, column: str) -> list[float]:
    """Return a column's values, one of each seed."""
    return [getattr(row, column) for row in rows if (row.load, row.controller) == (load, controller)]


def loads(rows: Sequence[Figures]) -> list[str]:
    """Return the loads' names in the rows' order."""
    return list(dict.fromkeys(row.load for row in rows))


def spread(found: Sequence[float], digits: int) -> str:
    """Return the mean, and the least and the most where there are several."""
    middle = f"{mean(found):.{digits}f}"
    return middle if len(found) == 1 else f"{middle} ({min(found):.{digits}f} to {max(found):.{digits}f})"


def markdown(rows: Sequence[Figures]) -> str:
    """Return the table: a line for each load and controller."""
    head = ["load", "controller", *(title for title, _digits in COLUMNS.values())]
    lines = [head, ["---"] * len(head)]
    for load in loads(rows):
        for controller in (*CONTROLLERS, CLAIRVOYANT):
            cells = [spread(values(rows, load, controller, column), digits) for column, (_title, digits) in COLUMNS.items()]
            lines.append([load, controller, *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def judged(rows: Sequence[Figures]) -> list[Figure]:
    """Return the figures with goals, for ours: the mean over the seeds, which the goal is for, with the least and the most."""
    found = []
    for number, load in enumerate(loads(rows)):
        for column, (name, relation, goal, unit) in GOALS.items():
            ours = values(rows, load, OURS, column)
            digits = COLUMNS[column][1]
            seeds = f"; {len(ours)} seeds, {min(ours):.{digits}f} to {max(ours):.{digits}f}" if len(ours) > 1 else ""
            others = (f"{other}: {spread(values(rows, load, other, column), digits)}" for other in (TALK, FEEDBACK))
            judge = at_least if relation == ">=" else at_most
            named = f"{name} ({load})" if number else name
            found.append(judge(named, mean(ours), unit + seeds, goal, "; ".join(others), digits=digits))
    return found
