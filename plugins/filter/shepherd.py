# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that asks the shepherd's engine about its configuration before that is on any host."""

from __future__ import annotations

from typing import Any, Callable


def shepherd_problems(configuration: Any) -> list[str]:
    """Return what the engine finds wrong, a sentence each with the role's variables. Files that are named are not looked at."""
    # Not at import: Ansible looks into every file of this directory for a filter, for each host in a process of its own.
    from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight.shepherd import engine_problems  # noqa: PLC0415

    return engine_problems(configuration)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"shepherd_problems": shepherd_problems}
