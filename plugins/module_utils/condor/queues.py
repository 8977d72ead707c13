# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queues of access points: which jobs are idle, in groups, and which machines could run them.

Through the bindings' worker where there is one: 0.3 s for 100,000 idle jobs, and the jobs' requirements are evaluated.
Through ``condor_q`` otherwise: a line for each job, and nothing is known of where it could run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from . import queue_worker
from .ads import integer, text
from .bindings import Bindings
from .errors import CondorError
from .process import run

SCHEDD_ATTRIBUTES = ("Name", "MyAddress", "LastHeardFrom", "TotalIdleJobs", "AuthenticatedIdentity")
IDLE = f"JobStatus == {queue_worker.IDLE_STATUS} && member(JobUniverse ?: 5, {{{', '.join(map(str, queue_worker.UNIVERSES))}}})"
"""True of a job that waits for a slot; local, scheduler and grid jobs wait for none"""


@dataclass(frozen=True)
class Schedd:
    """One access point, from its ad."""

    name: str
    address: str
    heard: int
    idle_jobs: int
    identity: str
    """as whom it was authenticated by the collector, ``condor@site``; empty when the collector does not say"""

    @classmethod
    def parse(cls, ad: Mapping[str, Any]) -> Schedd:
        """From an ad's attributes; whatever is missing is the empty value."""
        return cls(
            name=text(ad.get("Name")),
            address=text(ad.get("MyAddress")),
            heard=integer(ad.get("LastHeardFrom")),
            idle_jobs=integer(ad.get("TotalIdleJobs")),
            identity=text(ad.get("AuthenticatedIdentity")),
        )


@dataclass(frozen=True)
class IdleGroup:
    """Idle jobs of one access point that are alike."""

    jobs: int
    """a parallel one as often as it takes hosts"""
    cores: int
    """of one job on one host"""
    ad: str = ""
    """what is known of one of them, as text; empty when nothing is"""
    oldest: int = 0
    """since when the first of them waits, epoch seconds; 0 when that is not known"""
    machines: frozenset[str] | None = None
    """full names of the hosts that could run one when empty; None for all (or when that is not known)"""
    widened: bool = False
    """with hosts of other groups among them: there were too many different sets of hosts"""


_ASKED = ("RequestCpus", "EnteredCurrentStatus", "JobUniverse", "MaxHosts")


def _whole(word: str) -> int:
    """A printed number; 0 for what is none."""
    return int(word) if re.fullmatch("[0-9]{1,12}", word) else 0


class Queues(Protocol):
    """A way to the queues. Every method raises CondorError and has its deadline."""

    def groups(self, schedd: Schedd, collector: str, before: int) -> list[IdleGroup]:
        """The idle jobs of one access point; since when they wait, at least of those that wait since ``before``."""

    def matched(self, groups: Sequence[IdleGroup], collector: str, constraint: str) -> Callable[[], list[IdleGroup]]:
        """The same groups with their machines, among the slots that a constraint names.

        They are looked for meanwhile: what is returned waits for them, and raises CondorError too.
        """


class QueuesByTools:
    """Through ``condor_q``: every job counts as one that could run anywhere."""

    def __init__(self, deadline: float = 20) -> None:
        """``deadline``: seconds for one exchange."""
        self.deadline = deadline

    def groups(self, schedd: Schedd, collector: str, before: int) -> list[IdleGroup]:
        """The idle jobs of one access point, by their cores. Raises CondorError."""
        command = ["condor_q", *(["-pool", collector] if collector else []), "-name", schedd.name, "-allusers"]
        printed = run([*command, "-constraint", IDLE, "-af", *_ASKED], self.deadline)
        jobs: Counter[int] = Counter()
        oldest: dict[int, int] = {}
        for words in map(str.split, printed.split("\n")):
            if len(words) != len(_ASKED):
                continue
            # What is an expression is not evaluated here and counts as one core.
            cores, since, universe, hosts = map(_whole, words)
            cores = max(1, cores)
            jobs[cores] += queue_worker.hosts(universe, hosts)
            if since:
                oldest[cores] = min(since, oldest.get(cores, since))
        return [IdleGroup(jobs[cores], cores, oldest=oldest.get(cores, 0)) for cores in sorted(jobs)]

    def matched(self, groups: Sequence[IdleGroup], collector: str, constraint: str) -> Callable[[], list[IdleGroup]]:
        """The groups as they are."""
        return lambda: list(groups)


class QueuesByBindings:
    """Through the bindings' worker."""

    def __init__(self, bindings: Bindings) -> None:
        """``bindings``: a worker of its own; a hung access point costs it and nobody else."""
        self.bindings = bindings

    def groups(self, schedd: Schedd, collector: str, before: int) -> list[IdleGroup]:
        """The idle jobs of one access point. Raises CondorError."""
        request = {"operation": "groups", "name": schedd.name, "address": schedd.address, "before": before}
        answer = self.bindings.worker.call(request, self.bindings.deadline)
        return [IdleGroup(int(each["jobs"]), int(each["cores"]), str(each["ad"]), int(each["oldest"])) for each in answer]

    def matched(self, groups: Sequence[IdleGroup], collector: str, constraint: str) -> Callable[[], list[IdleGroup]]:
        """The groups with the machines that could run one of their jobs when empty. Raises CondorError."""
        if not groups:
            return list
        request = {
            "operation": "matches",
            "collector": collector,
            "constraint": constraint,
            "groups": [group.ad for group in groups],
            "jobs": [group.jobs for group in groups],
        }
        answer = self.bindings.worker.later(request, self.bindings.deadline)

        def found() -> list[IdleGroup]:
            answered = answer()
            # One set for all groups that have it: thousands of groups may have the same ten thousand hosts.
            sets = [None if each is None else frozenset(each) for each in answered["sets"]]
            return [
                replace(group, machines=sets[number], widened=bool(widened))
                for group, number, widened in zip(groups, answered["of"], answered["widened"])
            ]

        return found


def bindings_of(deadline: float, interpreter: str = "") -> Bindings | None:
    """The bindings' worker, None where there are no bindings. ``interpreter``: the Python that has them, by default our own."""
    bindings = Bindings(deadline, interpreter)
    try:
        bindings.version()
    except CondorError:
        bindings.close()
        return None
    return bindings


def queues(deadline: float, bindings: Bindings | None) -> Queues:
    """The better of both ways that this host has."""
    return QueuesByTools(deadline) if bindings is None else QueuesByBindings(bindings)
