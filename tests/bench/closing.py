# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leaving nothing behind when the setting up fails half-way, or when a bench is ended from outside."""

from __future__ import annotations

import signal
import sys
from abc import ABC, abstractmethod
from typing import Self


def close_when_ended() -> None:
    """Have context managers of this process closed when it is ended by SIGTERM too."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit("ended by a signal"))


class Closing(ABC):
    """Sets up on entry; closes on exit, and also when the setting up fails."""

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @abstractmethod
    def _set_up(self) -> None:
        """Start what is needed."""

    @abstractmethod
    def close(self) -> None:
        """End everything and leave nothing behind, whatever of it there is."""
