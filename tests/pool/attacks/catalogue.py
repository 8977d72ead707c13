"""All attacks."""

from __future__ import annotations

from . import by_core, by_environment, by_exit, by_host, by_name, by_output, by_process, by_rules, by_sandbox, self_made
from .ground import Ground

_MODULES = (by_environment, by_name, by_sandbox, by_rules, by_host)

ATTACKS = [
    by_process.SECOND_CALL,
    *self_made.ATTACKS,
    *by_environment.ATTACKS,
    *by_name.ATTACKS,
    *by_output.ATTACKS,
    *by_sandbox.ATTACKS,
    *by_process.ATTACKS,
    *by_exit.ATTACKS,
    *by_core.ATTACKS,
    *by_host.ATTACKS,
    *by_rules.ATTACKS,
]


def prepare(ground: Ground) -> None:
    """Put on a ground what the attacks take for granted."""
    for module in _MODULES:
        ground.world.run(["sh", "-ec", module.PREPARATION])
