# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a flocking container may use of its node, at the site and on one host.

Every host of a site asks, each in a process of its own: so this imports no netaddr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import fields
from .errors import Mistakes

#: The image has users for these: flockslot1 to flockslot16 (role image).
MAX_SLOTS = 16
_DEFAULTS: Mapping[str, Any] = {
    "cpus": 1,
    "memory_mb": 2048,
    "disk_mb": 10240,
    "shm_mb": 64,
    "slots": 1,
    "pids": 512,
    "runtime": "",
}
_LIMITS: Mapping[str, tuple[int, int]] = {
    "cpus": (1, 4096),
    "memory_mb": (128, 2**24),
    "disk_mb": (64, 2**31),
    "shm_mb": (1, 2**24),
    "slots": (1, MAX_SLOTS),
    "pids": (64, 2**22),
}
#: The central manager has one number of slots for all containers.
_OF_THE_SITE = ("slots",)


@dataclass(frozen=True)
class ContainerOptions:
    """What a flocking container may use of its node; sizes in MiB."""

    cpus: int
    memory_mb: int
    disk_mb: int
    shm_mb: int
    slots: int
    pids: int
    runtime: str


def make_container(variable: str, raw: Any) -> ContainerOptions:
    """Return what every container may use that has nothing of its own."""
    return ContainerOptions(**_checked(variable, raw, tuple(_DEFAULTS), _DEFAULTS))


def of_a_host(variable: str, raw: Any) -> dict[str, Any]:
    """Return what one host's container may use, as far as it differs from the site's."""
    return _checked(variable, raw, [key for key in _DEFAULTS if key not in _OF_THE_SITE], {})


def _checked(variable: str, raw: Any, known: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    mistakes = Mistakes()
    entry = {**defaults, **fields.open_mapping(variable, raw, known, (), mistakes)}
    found = {
        key: mistakes.catch(fields.integer, f"{variable}.{key}", value, *_LIMITS[key])
        for key, value in entry.items()
        if key in _LIMITS
    }
    if "runtime" in entry:
        runtime = entry["runtime"]
        found["runtime"] = "" if runtime == "" else mistakes.catch(fields.name, f"{variable}.runtime", runtime)
    mistakes.end()
    return found
