# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs between two processes, whatever carries it. For type checkers alone."""

from __future__ import annotations

from typing import Protocol


class Messages(Protocol):
    """One end of a connection for short messages: :class:`channel.Link` or :class:`channel.Lines`."""

    def fileno(self) -> int:
        """The descriptor to wait for."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that it has open."""

    def send(self, message: str) -> bool:
        """Send a message; False when nobody is at the other end."""

    def receive(self) -> str | None:
        """Wait for a message; None when the other end is gone."""
