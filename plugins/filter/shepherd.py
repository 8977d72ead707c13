# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that asks the shepherd's engine about its configuration before that is on any host."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, Callable

from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.configuration import (
    Configuration,
    ConfigurationError,
    parse,
)

_PARTS = {each.name for each in fields(Configuration)}


def _of_the_role(problem: str) -> str:
    # The engine names a setting by itself and everything else from the top of its file.
    top = re.match(r"\w*", problem)
    return f"shepherd_{problem}" if top and top[0] in _PARTS else f"shepherd_settings.{problem}"


def shepherd_problems(configuration: Any) -> list[str]:
    """Return what the engine finds wrong, a sentence each with the role's variables. Files that are named are not looked at."""
    try:
        parse(configuration)
    except ConfigurationError as error:
        return [_of_the_role(problem) for problem in error.problems]
    return []


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"shepherd_problems": shepherd_problems}
