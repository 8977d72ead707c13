# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways to HTCondor: what a way has to offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from .goals import How
from .state import Startd


class Transport(Protocol):
    """A way to HTCondor. Every method raises CondorError, and none of them waits longer than its deadline."""

    def query(
        self, collector: str, kind: str, attributes: Sequence[str], constraint: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        """Ads of a collector (empty: of HTCondor's configuration). ``kind`` is Slot, Master, Collector or Schedd.

        ``deadline``: seconds for this exchange, None for those of all.
        """

    def drain(self, startd: Startd, how: How, reason: str) -> None:
        """Begin a drain; a peaceful one only if nothing runs. Raises NotEmpty when something does."""

    def cancel_drain(self, startd: Startd) -> None:
        """End a drain."""

    def start(self, startd: Startd) -> None:
        """Have the master start the startd."""

    def stop(self, startd: Startd, how: How) -> None:
        """Have the master stop the startd."""
