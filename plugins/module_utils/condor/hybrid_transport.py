# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ads through the bindings, commands through the tools: what each of them is better at.

The bindings' worker reads the ads of a big pool in a third of the time; the tools know the remote administration that the
collector grants.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .bindings import Bindings
from .errors import CondorError, NoAnswer
from .goals import How
from .state import Startd
from .tools import Tools


class HybridTransport:
    """Transport through both."""

    def __init__(self, bindings: Bindings, tools: Tools) -> None:
        self.bindings = bindings
        self.tools = tools

    def query(
        self, collector: str, kind: str, attributes: Sequence[str], constraint: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        """Ads of a collector; by the tools where the bindings fail. Raises CondorError."""
        try:
            return self.bindings.query(collector, kind, attributes, constraint, deadline=deadline)
        except NoAnswer:
            # The tools would wait as long for the same peer.
            raise
        except CondorError:
            # They may be known to it as somebody else, and say more of what is wrong.
            return self.tools.query(collector, kind, attributes, constraint, deadline=deadline)

    def drain(self, startd: Startd, how: How, reason: str) -> None:
        """Begin a drain. Raises NotEmpty or CondorError."""
        self.tools.drain(startd, how, reason)

    def cancel_drain(self, startd: Startd) -> None:
        """End a drain. Raises CondorError."""
        self.tools.cancel_drain(startd)

    def start(self, startd: Startd) -> None:
        """Have the master start the startd. Raises CondorError."""
        self.tools.start(startd)

    def stop(self, startd: Startd, how: How) -> None:
        """Have the master stop the startd. Raises CondorError."""
        self.tools.stop(startd, how)
