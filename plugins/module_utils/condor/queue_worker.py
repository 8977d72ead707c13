# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the worker process does with queues: idle jobs in groups.

It runs in the process of ``worker.py`` and is given the bindings' modules; like that file it imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GROUP_BY = (
    "JobStatus",
    "JobUniverse",
    "RequestCpus",
    "RequestMemory",
    "RequestDisk",
    "RequestGPUs",
    "FileSystemDomain",
    "MaxHosts",
    "Requirements",
)
IDLE_STATUS = 1
UNIVERSES = (1, 5, 10, 11, 13)
"""those that need a slot: standard, vanilla, java, parallel, vm; not scheduler, grid, local"""
UNREADABLE = "(bytes that are no UTF-8)"
"""stands for a text that the bindings cannot decode"""
_PARALLEL = 11
_HOSTS_MOST = 100_000
_WAITING_MOST = 5000
_GROUPS_MOST = 5000
"""groups that are compared with the machines: users whose jobs are all different do not stop the shepherd"""
_OF_THE_GROUP = ("JobIds", "JobCount", "Id")


def _number(value: Any, otherwise: int) -> int:
    plain = type(value) in (int, float) and abs(value) < 1e12
    return int(value) if plain else otherwise


def hosts(universe: int, count: int) -> int:
    """How many hosts a job takes: that of the parallel universe has its ``machine_count`` in ``MaxHosts``."""
    return min(max(1, count), _HOSTS_MOST) if universe == _PARALLEL else 1


def _evaluated(group: Any, name: str, otherwise: int) -> int:
    return _number(group.eval(name) if name in group else otherwise, otherwise)


def _grouped(condor: Any, schedd: Any, projection: list[str]) -> list[Any]:
    # A constraint on JobStatus gives no rows at all with GroupBy (23.9.6): all are asked for, told apart by their JobStatus.
    groups = schedd.query("true", projection, opts=condor.QueryOpts.GroupBy)
    return [
        group
        for group in groups
        if _evaluated(group, "JobStatus", 0) == IDLE_STATUS and _evaluated(group, "JobUniverse", 5) in UNIVERSES
    ]


def _key(classad: Any, job: Any) -> str:
    return str(classad.ClassAd({name: job.lookup(name) for name in GROUP_BY if name in job}))


def _waiting(classad: Any, schedd: Any, before: int) -> dict[str, int]:
    """Since when the first job of a group waits, by the group's key; of those that have waited since ``before``."""
    constraint = f"JobStatus == {IDLE_STATUS} && EnteredCurrentStatus < {before}"
    oldest: dict[str, int] = {}
    for job in schedd.query(constraint, [*GROUP_BY, "EnteredCurrentStatus"], limit=_WAITING_MOST):
        try:
            key, since = _key(classad, job), _number(job.get("EnteredCurrentStatus"), 0)
        except UnicodeDecodeError:
            continue
        oldest[key] = min(since, oldest.get(key, since))
    return oldest


def _together(described: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups by their cores alone; where their jobs could run is not looked at any more."""
    made: dict[int, dict[str, Any]] = {}
    for group in described:
        all_of_them = made.setdefault(group["cores"], {"jobs": 0, "cores": group["cores"], "oldest": 0, "ad": ""})
        all_of_them["jobs"] += group["jobs"]
        since = [each for each in (all_of_them["oldest"], group["oldest"]) if each]
        all_of_them["oldest"] = min(since, default=0)
    return list(made.values())


def _described(classad: Any, group: Any, waiting: Mapping[str, int]) -> dict[str, Any]:
    """A group of idle jobs: of one with a text that is no UTF-8 nothing is known of where it could run, and it counts."""
    try:
        oldest = waiting.get(_key(classad, group), 0)
        ad = str(classad.ClassAd({name: group.lookup(name) for name in group if name not in _OF_THE_GROUP}))
    except UnicodeDecodeError:
        oldest, ad = 0, ""
    return {
        "jobs": _number(group.get("JobCount"), 1) * hosts(_evaluated(group, "JobUniverse", 5), _evaluated(group, "MaxHosts", 1)),
        "cores": max(1, _evaluated(group, "RequestCpus", 1)),
        "oldest": oldest,
        "ad": ad,
    }


def groups(condor: Any, classad: Any, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The idle jobs of one access point in groups: their number, cores of one, since when the first waits, an ad as text.

    ``before`` (epoch seconds): of groups none of whose jobs has waited since then, since when they wait is not said (0).
    """
    schedd = condor.Schedd(classad.ClassAd({"MyAddress": request["address"], "CondorVersion": "", "Name": request["name"]}))
    # With the attributes that these refer to, which HTCondor adds by itself (JobCluster::getClusterid in its autocluster.cpp).
    found = _grouped(condor, schedd, list(GROUP_BY))
    waiting = _waiting(classad, schedd, request["before"]) if found else {}
    described: list[dict[str, Any]] = [_described(classad, group, waiting) for group in found]
    described.sort(key=lambda group: -group["jobs"])
    return described[:_GROUPS_MOST] + _together(described[_GROUPS_MOST:])
