# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a monitor waits for beside its keeper. For type checkers alone."""

from __future__ import annotations

from typing import Protocol


class Source(Protocol):
    """Signals to hand on: the starter's, or a pilot's."""

    def fileno(self) -> int:
        """The descriptor to wait for."""

    def read(self) -> list[int]:
        """The numbers of the signals that came. Raises SwitchError when no more can come."""


class CallServer(Protocol):
    """Who answers a job's calls while it runs."""

    def fileno(self) -> int:
        """The descriptor to wait for."""

    def serve(self) -> None:
        """Take one call and give it a process of its own."""

    def close(self) -> None:
        """Answer no more."""
