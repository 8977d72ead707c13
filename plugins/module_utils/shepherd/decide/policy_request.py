# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a policy asks for, whichever nodes it then is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Direction(str, Enum):
    """Where nodes are to go."""

    STAY = "stay"
    OUT = "out"
    BACK = "back"


@dataclass(frozen=True)
class PolicyRequest:
    """How many nodes are to go which way."""

    way: Direction
    why: str
    """one sentence"""
    nodes: int | None = None
    """at the most; None for any number"""
    cores: int | None = None
    """OUT: at the most; BACK: until so many are on their way; None for any number"""
    evicting: int | None = None
    """BACK: until so many are on their way, nodes with foreign jobs come too; None for ``cores``"""
    spare: int = 0
    """STAY: cores on their way back that nobody waits for any more"""
