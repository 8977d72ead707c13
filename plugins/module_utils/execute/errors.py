# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ends a job before it has begun, by gLExec's classes."""

from __future__ import annotations

CLIENT = 201
"""The caller asked for something that makes no sense."""
SYSTEM = 202
"""The switch cannot work here."""
REFUSED = 203
"""The site's rules refuse it."""
PAYLOAD = 204
"""The payload itself ended with one of these codes."""
CANNOT_EXECUTE = 126
"""The payload's executable cannot be executed."""


class SwitchError(Exception):
    """A job or payload is not run. ``code`` is its class, the text one sentence for its owner and the administrator.

    ``quiet``: the starter is not told, because it would take it for its running job's failure.
    """

    def __init__(self, code: int, message: str, *, quiet: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.quiet = quiet
