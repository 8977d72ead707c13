# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An entry of a part's list of figures. Pure."""

from __future__ import annotations

from typing import TypedDict


class Figure(TypedDict):
    """One entry, as it stands in build/bench.json."""

    name: str
    value: float
    unit: str
    goal: str
    met: bool
    baseline: str


def at_least(name: str, value: float, unit: str, goal: float, baseline: str, *, digits: int = 2) -> Figure:
    """Return a figure with a lower limit."""
    return Figure(name=name, value=round(value, digits), unit=unit, goal=f">= {goal:g}", met=value >= goal, baseline=baseline)


def at_most(name: str, value: float, unit: str, goal: float, baseline: str, *, digits: int = 2) -> Figure:
    """Return a figure with an upper limit."""
    return Figure(name=name, value=round(value, digits), unit=unit, goal=f"<= {goal:g}", met=value <= goal, baseline=baseline)


def shown(name: str, value: float, unit: str, baseline: str, *, digits: int = 2) -> Figure:
    """Return a figure without a goal."""
    return Figure(name=name, value=round(value, digits), unit=unit, goal="shown", met=True, baseline=baseline)
