# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a job ended and what it used, as its init tells it."""

from __future__ import annotations

import os
import resource


class Ending:
    """A wait status; seconds of user and system time of all the job's processes; KiB of the largest of them."""

    __slots__ = ("memory", "status", "system", "user")

    def __init__(self, status: int, user: float, system: float, memory: int) -> None:
        self.status = status
        self.user = user
        self.system = system
        self.memory = memory

    @property
    def words(self) -> str:
        """``exit N`` or ``signal N``."""
        if os.WIFSIGNALED(self.status):
            return f"signal {os.WTERMSIG(self.status)}"
        return f"exit {os.WEXITSTATUS(self.status)}"


def of_children(status: int) -> Ending:
    """The ending of a job whose processes were all children of this one, and are collected."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Ending(status, used.ru_utime, used.ru_stime, used.ru_maxrss)


def message(ending: Ending) -> str:
    """An ending as a message."""
    return f"ended {ending.status} {ending.user:.6f} {ending.system:.6f} {ending.memory}"


def from_message(text: str) -> Ending:
    """The ending that a message tells of. Raises ValueError."""
    _, status, user, system, memory = text.split()
    return Ending(int(status), float(user), float(system), int(memory))
