# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that asks the shepherd's engine about its configuration before that is on any host."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight.shepherd import engine_problems


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"shepherd_problems": engine_problems}
