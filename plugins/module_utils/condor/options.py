# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules have in common: options of the way to HTCondor, and a startd as a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .adapter import Pool, connect
from .errors import CommandFailed, CondorError
from .state import AdFreshness, Startd

ARGUMENTS: dict[str, dict[str, Any]] = {
    "collector": {"type": "str", "default": ""},
    "flock_collector": {"type": "str"},
    "command_tokens": {"type": "path", "default": "/etc/sheepfold/pool/commands.d", "no_log": False},
    "transport": {"type": "str", "choices": ["tools", "bindings"], "default": "tools"},
    "timeout": {"type": "float", "default": 30},
    "stale_after": {"type": "int", "default": 900},
    "settle": {"type": "int", "default": 400},
}


def problem(params: Mapping[str, Any]) -> str:
    """What is wrong with the options, one sentence that names one and its value; empty when nothing is."""
    for name in ("timeout", "stale_after"):
        if params[name] <= 0:
            return f"{name} is {params[name]:g}: expected a number of seconds above 0"
    if params["settle"] < 0:
        return f"settle is {params['settle']}: expected a number of seconds, 0 or more"
    return ""


def pool(params: Mapping[str, Any]) -> Pool:
    """The adapter that the options ask for. Raises CondorError."""
    return connect(
        collector=params["collector"],
        flock_collector=params["flock_collector"],
        tokens=params["command_tokens"],
        deadline=params["timeout"],
        policy=AdFreshness(stale=params["stale_after"], settle=params["settle"]),
        bindings=params["transport"] == "bindings",
    )


def failure(error: CondorError) -> dict[str, Any]:
    """An error as arguments for ``fail_json``."""
    result: dict[str, Any] = {"msg": str(error)}
    if isinstance(error, CommandFailed):
        result.update(cmd=error.command, rc=error.rc, stdout=error.stdout, stderr=error.stderr)
    return result


def as_result(startd: Startd) -> dict[str, Any]:
    """A startd as the modules return it."""
    return {
        "name": startd.name,
        "machine": startd.machine,
        "flocking": startd.flocking,
        "flock_host": startd.flock_host,
        "state": startd.state.value,
        "why": startd.why,
        "busy": startd.busy,
        "open_until": startd.open_until,
        "drain_reason": startd.drain_reason,
        "clock_offset": startd.clock_offset,
    }
