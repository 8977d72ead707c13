# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check of preflight may look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Seen:
    """One host as a role sees it before it changes anything."""

    host: str
    #: The role's options, typed, by their names without the role's.
    options: Mapping[str, Any]
    #: ``flock_plan``; empty for a role that does not depend on role flock.
    plan: Mapping[str, Any] = field(default_factory=dict)
    #: What the role's facts module found.
    facts: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def is_in(self, group: str) -> bool:
        """Return whether the host is in a group of the inventory."""
        return self.host in self.groups.get(group, ())
