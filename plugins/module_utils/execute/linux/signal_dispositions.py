# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signal dispositions: what this process inherited from its parent is not what it works with."""

from __future__ import annotations

import _signal
import os

#: All that can be caught, without the two that the C library keeps for itself.
ALL = tuple(number for number in range(1, 65) if number not in (_signal.SIGKILL, _signal.SIGSTOP, 32, 33))
_PYTHONS_OWN = (_signal.SIGPIPE, _signal.SIGXFSZ)
"""Ignored by Python itself: what fails is an OSError then, and not the end of this process."""


def restore() -> None:
    """Give this process default dispositions and no blocked signal, whatever its parent ignored (``nohup``) or blocked.

    An ignored SIGCHLD would keep it from learning how its children ended, any other from handing that signal on.
    """
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    for number in ALL:
        if number not in _PYTHONS_OWN and _signal.getsignal(number) is _signal.SIG_IGN:
            _signal.signal(number, _signal.SIG_DFL)


def execute(words: list[bytes], environment: dict[bytes, bytes], ignored: list[int]) -> None:
    """Become a program that finds only these signals ignored. Does not return, or raises OSError."""
    for number in ALL:
        _signal.signal(number, _signal.SIG_IGN if number in ignored else _signal.SIG_DFL)
    os.execve(words[0], words, environment)
