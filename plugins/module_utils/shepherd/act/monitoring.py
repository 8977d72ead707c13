# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the site's monitoring is told: before a startd is taken away, and when it has been seen back.

Its failure is reported and keeps nobody from anything. A drained startd runs on, so that by default nothing is to be said of it.
"""

from __future__ import annotations

from typing import Protocol

from ...condor.goals import Verb

WORDS = {Verb.STOP: "stop", Verb.DRAIN: "drain"}
"""the commands before which monitoring may be told, as the configuration calls them"""


class MonitoringError(Exception):
    """Monitoring could not be told; one sentence."""


class Monitoring(Protocol):
    """A site's monitoring. Every method has a deadline and raises MonitoringError."""

    def tells(self, verb: Verb) -> bool:
        """Whether it is to be told before such a command."""

    def before_off(self, node: str, reason: str) -> str:
        """Be silent about a node's startd; what to call that when it is over. A second call changes nothing."""

    def after_on(self, node: str, silence: str) -> None:
        """Speak again. ``silence``: what ``before_off`` returned. A second call changes nothing."""


class NoMonitoring:
    """There is none."""

    def tells(self, verb: Verb) -> bool:
        """Never."""
        return False

    def before_off(self, node: str, reason: str) -> str:
        """Do nothing."""
        return ""

    def after_on(self, node: str, silence: str) -> None:
        """Do nothing."""
