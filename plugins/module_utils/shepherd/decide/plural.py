# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers of things as a person would say them. Pure."""

from __future__ import annotations


def amount(number: int, thing: str) -> str:
    """``1 core``, ``0 cores``, ``2 cores``: of things whose plural ends in s."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
