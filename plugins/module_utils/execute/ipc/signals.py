# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The signals that come to a process, to read and to hand on."""

from __future__ import annotations

import _signal
import os

#: What can be caught and is not about the monitor itself.
RELAYED = tuple(
    number
    for number in range(1, 32)
    if number not in (_signal.SIGKILL, _signal.SIGSTOP, _signal.SIGCHLD, _signal.SIGSEGV, _signal.SIGBUS, _signal.SIGFPE)
)


class Signals:
    """Signals to this process, as bytes to read. Those that came before are read first."""

    def __init__(self) -> None:
        self._woken, waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(waker, False)
        _signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in RELAYED:
            _signal.signal(number, lambda *_: None)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._woken

    def read(self) -> list[int]:
        """The numbers of the signals that came."""
        try:
            return list(os.read(self._woken, 256))
        except BlockingIOError:
            return []


def restore_signals() -> None:
    """Undo what :class:`Signals` did, in a child."""
    _signal.set_wakeup_fd(-1)
    for number in RELAYED:
        _signal.signal(number, _signal.SIG_DFL)
