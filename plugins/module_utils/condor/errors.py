# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong between us and HTCondor."""

from __future__ import annotations

from collections.abc import Sequence


class CondorError(Exception):
    """Any failure of an exchange with HTCondor."""


class NoAnswer(CondorError):
    """A peer, or the tool that talks to it, did not answer before its deadline and was given up."""


class CommandFailed(CondorError):
    """A command ended with a failure of its own; it keeps what the command said."""

    def __init__(self, command: Sequence[str], rc: int, stdout: str, stderr: str) -> None:
        self.command = list(command)
        self.rc = rc
        self.stdout = stdout
        self.stderr = stderr
        said = " ".join((stderr.strip() or stdout.strip() or "nothing").split())
        super().__init__(f"{self.command[0]} failed with rc {rc} and said: {said}")


class NotEmpty(CondorError):
    """The startd refused a drain because it is to be drained only when it runs nothing, and it runs something."""
