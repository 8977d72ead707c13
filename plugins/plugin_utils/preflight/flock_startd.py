# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep a node from running the flocking startd."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .seen import Seen

CONTROLLERS = ("cpu", "memory", "pids")
#: What would undo what the role's own arguments do.
REFUSED_OPTIONS = (
    "privileged",
    "cap-add",
    "security-opt",
    "userns",
    "net",
    "network",
    "pid",
    "ipc",
    "uts",
    "cgroupns",
    "user",
    "name",
    "ip",
    "ip6",
    "dns",
    "mac-address",
)
_SLICE = re.compile(r"[a-z0-9]+[.]slice")
_SYSCALL = re.compile(r"[a-z0-9_]+")
#: What is no argument at all is refused as well.
_ARGUMENT = re.compile(rf"(?!--(?:{'|'.join(REFUSED_OPTIONS)})(?:[ =]|$))--[a-z][^\n]*")


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong."""
    if seen.options["state"] == "absent":
        return
    yield from _control_groups(seen)
    yield from _sizes(seen)
    yield from _texts(seen.options)
    if seen.options["kernel_policy"] == "refuse" and seen.facts["kernel_pending"]:
        yield f"{seen.facts['kernel_report']}: expected none, because flock_startd_kernel_policy is refuse"


def _control_groups(seen: Seen) -> Iterator[str]:
    version, controllers = seen.facts["cgroup_version"], seen.facts["cgroup_controllers"]
    if version != 2:
        yield (
            f"The control groups of {seen.host} are version {version}: expected version 2, because flock.container asks for"
            " limits"
        )
    if not set(CONTROLLERS) <= set(controllers):
        yield f"The cgroup controllers of {seen.host} are '{' '.join(controllers)}': expected cpu, memory and pids among them"


def _sizes(seen: Seen) -> Iterator[str]:
    options, container = seen.options, seen.plan["container"]
    for name in ("tmp_mb", "log_mb", "history_mb"):
        if options[name] < 1:
            yield f"flock_startd_{name} is {options[name]}: expected 1 or more"
    if not -1000 <= options["oom_score_adj"] <= 1000:
        yield f"flock_startd_oom_score_adj is {options['oom_score_adj']}: expected -1000 to 1000"
    own = f"{seen.host} (flock_container gives a host or a group its own)"
    if container["cpus"] > seen.facts["cpus"]:
        yield (f"flock.container.cpus is {container['cpus']}: expected at most {seen.facts['cpus']}, the processors of {own}")
    if container["memory_mb"] >= seen.facts["memory_mb"]:
        yield (
            f"flock.container.memory_mb is {container['memory_mb']}: expected less than {seen.facts['memory_mb']}, the memory of"
            f" {own}"
        )
    taken = container["shm_mb"] + 2 * options["tmp_mb"] + options["log_mb"]
    if taken >= container["memory_mb"]:
        yield (
            f"flock.container.memory_mb is {container['memory_mb']}: expected more than shm_mb, twice flock_startd_tmp_mb and"
            f" flock_startd_log_mb together, which are memory ({taken})"
        )


def _texts(options: Mapping[str, Any]) -> Iterator[str]:
    if not _SLICE.fullmatch(options["cgroup_parent"]):
        yield (
            f"flock_startd_cgroup_parent is '{options['cgroup_parent']}': expected a slice of the root, for instance flock.slice"
        )
    if not all(map(_SYSCALL.fullmatch, options["extra_syscalls"])):
        yield f"flock_startd_extra_syscalls is {options['extra_syscalls']}: expected names of system calls"
    if not all(map(_ARGUMENT.fullmatch, options["extra_arguments"])):
        yield (
            f"flock_startd_extra_arguments is {options['extra_arguments']}: expected arguments of the form --name=value that do"
            " not touch the container's isolation"
        )
