# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a monitor's signals come from: the starter, or a pilot. For type checkers alone."""

from __future__ import annotations

from typing import Protocol


class Source(Protocol):
    """Signals to hand on."""

    def fileno(self) -> int:
        """The descriptor to wait for."""

    def read(self) -> list[int]:
        """The numbers of the signals that came. Raises SwitchError when no more can come."""
