# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every driver does. For type checkers alone."""

from __future__ import annotations

from typing import Protocol

from ..accounts.leases import Lease
from ..ipc.messages import Messages
from ..isolation.mounts import MountView
from ..isolation.program import Program


class Driver(Protocol):
    """What one keeper does with one account.

    In this order: ``begin`` as soon as the account is known, ``ready``, in the keeper ``enter``, ``hand_over``, ``start``,
    ``kill``, ``hand_back``, ``settle``, and ``clear`` when the account is not clean then.
    """

    lease: Lease
    elsewhere: bool
    """Whether the job's processes are in no cgroup of HTCondor's: what is done to that is then handed on as messages."""

    def begin(self) -> None:
        """Start what takes time, while this process does other things. Raises OSError."""

    def ready(self) -> None:
        """Wait until that is done. Raises SwitchError when the driver does not work on this host."""

    def enter(self) -> None:
        """Prepare this process, the keeper. Raises OSError."""

    def hand_over(self, directory: str) -> None:
        """Give a sandbox to the account. Raises OSError."""

    def start(self, view: MountView, program: Program) -> tuple[int, Messages]:
        """Start the init of a job; what to wait for, a child of this process, and the link. Raises OSError, SwitchError."""

    def renew_tokens(self, directory: str) -> None:
        """Let the account have the tokens that have come into a sandbox. Raises OSError."""

    def kill(self, pid: int) -> None:
        """End what ``start`` started, and every process of the job with it."""

    def hand_back(self, directory: str) -> list[str]:
        """Take a sandbox back; the links that were removed. No process of the account may run. Raises OSError."""

    def settle(self) -> None:
        """Wait a little for what the driver itself had running as the account."""

    def clear(self) -> None:
        """Remove what the account has left, as the account. What stays is seen later."""
