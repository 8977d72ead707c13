# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the worker process does with queues: idle jobs in groups, and which machines could run one of each.

It runs in the process of ``worker.py`` and is given the bindings' modules; like that file it imports nothing of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
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
_GROUPS_MOST = 1000
"""groups that are compared with the machines: users whose jobs are all different do not stop the shepherd"""
_OF_THE_GROUP = ("JobIds", "JobCount", "Id")
# As the texts that they are: 1, 1.0 and true are not the same to every expression.
_SHOWN = json.JSONDecoder(strict=False, parse_int=str.encode, parse_float=str.encode).decode
_MISSING = b""
"""no number"""
_YES, _NO = b"yes", b"no"
_NOT_PLAIN = ("/Expr(", "[", "{")
"""how an expression, a list and an ad begin as texts"""


def _unscoped(names: Iterable[str]) -> set[str]:
    return {name for name in names if name and "." not in name}


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


def _references(job: Any) -> tuple[set[str], set[str]]:
    """What a job's requirements ask of a machine: attributes with ``TARGET.``, and those without that the job has not."""
    if "Requirements" not in job:
        return set(), set()
    outside = job.externalRefs(job.lookup("Requirements"))
    return {name.split(".", 1)[1] for name in outside if name.upper().startswith("TARGET.")}, _unscoped(outside)


def _runs(job: Any, slot: Any, unscoped: set[str]) -> bool:
    """Whether a job's requirements hold on a slot."""
    # The bindings look for a name without a scope in the job alone; HTCondor's matchmaking goes on to the machine.
    lent = [name for name in unscoped if name not in job and name in slot]
    for name in lent:
        job[name] = slot.lookup(name)
    try:
        return bool(slot.matches(job))
    finally:
        for name in lent:
            del job[name]


class _Slot:
    """A slot as if it were empty."""

    def __init__(self, ad: Any, wanted: Mapping[str, str]) -> None:
        """``wanted``: names by the same in small letters, those of which a job may ask."""
        self._ad = ad
        # The bindings print an ad several times faster than its values can be asked for one by one.
        self.shown = {
            name.lower(): str(value) if type(value) in (list, dict) else value for name, value in _SHOWN(ad.printJson()).items()
        }
        """what it has, by names in small letters, only to be compared: numbers are texts"""
        self.machine = str(self.shown.get("machine"))
        self._taken: list[str] = []
        """of what a partitionable slot is to be given back what its dynamic slots have taken"""
        if self.shown.get("partitionableslot") is True:
            for small, name in wanted.items():
                if f"totalslot{small}" in self.shown:
                    self.shown[small] = self.shown[f"totalslot{small}"]
                    self._taken.append(name)

    @property
    def ad(self) -> Any:
        """Its ad, emptied."""
        for name in self._taken:
            self._ad[name] = self._ad.lookup(f"TotalSlot{name}")
        self._taken = []
        return self._ad


def _is_enough(least: float) -> Callable[[Any], Any]:
    def look(value: Any) -> Any:
        return value if type(value) is not bytes or value == _MISSING else _YES if float(value) >= least else _NO

    return look


def _is_same(own: str) -> Callable[[Any], Any]:
    def look(value: Any) -> Any:
        plain = isinstance(value, str) and not value.startswith(_NOT_PLAIN)
        return value if not plain else _YES if value.lower() == own else _NO

    return look


def _questions(job: Any, names: Iterable[str]) -> dict[str, Callable[[Any], Any]]:
    """How machines' attributes look to a job that asks one question of them: by names in small letters.

    ``TARGET.Disk >= RequestDisk`` and ``TARGET.FileSystemDomain == MY.FileSystemDomain`` are what condor_submit adds. No two
    machines have the same free disk, and by default none the same domain: without this each would have to be compared with
    each job. What a job looks at in any other way as well is not among them.
    """
    text, own = str(job).lower(), {name.lower(): name for name in job}
    found: dict[str, Callable[[Any], Any]] = {}
    if "eval(" in text:
        return found

    def mentions(words: str) -> int:
        return len(re.findall(rf"\b{words}\b", text))

    for name in {name.lower() for name in names}:
        word, requested = re.escape(name), f"request{name}"
        if requested in own and mentions(word) == mentions(rf"target\.{word} >= request{word}"):
            least = job.eval(own[requested])
            if type(least) in (int, float):
                found[name] = _is_enough(float(least))
        elif name in own and mentions(word) == 1 + 2 * mentions(rf"target\.{word} == my\.{word}"):
            same = job.eval(own[name])
            if type(same) is str:
                found[name] = _is_same(same.lower())
    return found


class _Job:
    """A job of a group, and the machines that could run it."""

    def __init__(self, ad: Any) -> None:
        self.ad = ad
        target, self._own = _references(ad)
        self.names = target | self._own
        """what it asks of a machine"""
        questions = _questions(ad, target - self._own)
        self._plain = [name.lower() for name in sorted(self.names) if name.lower() not in questions]
        self._questions = sorted(questions.items())
        self._seen: dict[tuple[Any, ...], bool] = {}
        self._machines: set[str] = set()

    def try_on(self, slot: _Slot) -> None:
        """Note the slot's machine if the job could run there; slots that look alike to it are compared once."""
        get = slot.shown.get
        looks = (*[get(name, _MISSING) for name in self._plain], *[look(get(name, _MISSING)) for name, look in self._questions])
        runs = self._seen.get(looks)
        if runs is None:
            runs = self._seen[looks] = _runs(self.ad, slot.ad, self._own)
        if runs:
            self._machines.add(slot.machine)

    def answer(self, machines: set[str]) -> list[str] | None:
        """The machines that could run it; None for all that there are."""
        if not self.names and "Requirements" not in self.ad:
            return None
        return None if machines and self._machines == machines else sorted(self._machines)


def matches(condor: Any, classad: Any, request: Mapping[str, Any]) -> list[list[str] | None]:
    """For each group the machines whose empty slots could run one of its jobs; None for all of them.

    A job's requirements are evaluated once for all slots that look alike to it.
    """
    jobs = [_Job(classad.ClassAd(text)) for text in request["groups"]]
    wanted = sorted({name for job in jobs for name in job.names})
    projection = ["Machine", "PartitionableSlot", *wanted, *(f"TotalSlot{name}" for name in wanted)]
    collector = condor.Collector(request["collector"] or None)
    small = {name.lower(): name for name in wanted}
    found = collector.query(condor.AdType.Startd, constraint=request["constraint"], projection=projection)
    machines = set()
    while found:
        # An ad is let go of as soon as it has been compared.
        try:
            slot = _Slot(found.pop(), small)
        except UnicodeDecodeError:
            # It can be compared with nothing; the others can.
            continue
        machines.add(slot.machine)
        for job in jobs:
            job.try_on(slot)
    return [job.answer(machines) for job in jobs]
