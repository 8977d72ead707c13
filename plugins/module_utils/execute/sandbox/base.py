# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the files of a job change hands. For type checkers alone."""

from __future__ import annotations

from typing import Protocol


class SandboxHandover(Protocol):
    """How the files of a job change hands: ``top`` is the sandbox, ``job`` the directory below it that holds them."""

    keeps_tokens: bool
    """Whether the job's tokens stay where the starter renews them (:mod:`job_tokens`)."""

    def give(self, top: int, job: int) -> None:
        """Let the account have them. Raises OSError."""

    def take(self, top: int, job: int) -> None:
        """Let the daemons' user have them again, and it alone. Raises OSError."""
