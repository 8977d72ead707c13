"""A site in memory, at the level of HTCondor's ads and commands: what comes out of condor_status and goes into condor_drain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.adapter import Pool
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError, NotEmpty
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import How
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.queues import IdleGroup, Schedd
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import AdFreshness, Startd
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.tools import Tools
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.act.monitoring import Monitoring
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.configuration import Configuration, parse
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cycle import CycleRunner

NOW = 1_800_000_000
FLOCK = "10.27.2.1:9618?sock=flock_collector"


@dataclass
class Node:
    """One host's two startds."""

    number: int
    cores: int = 4
    local: list[int] = field(default_factory=list)
    """cores of each local job"""
    foreign: list[dict[str, Any]] = field(default_factory=list)
    """what the dynamic slots' ads say of each foreign job"""
    drain_reason: str = ""
    open_until: int = 0
    regular_ad: bool = True
    flocking_ad: bool = True
    verified: dict[str, Any] = field(
        default_factory=lambda: {
            "FlockVerifyResult": "pass",
            "FlockVerifyTime": NOW - 60,
            "FlockVerifyRulesHash": "aa",
            "FlockVerifyGatewayRulesHash": "bb",
        }
    )

    @property
    def name(self) -> str:
        return f"p{self.number}"


class FakeSite(Tools):
    """Transport, tools and queues of a site. Time stands still unless a test moves it."""

    def __init__(self, directory: Path, *numbers: int) -> None:
        super().__init__(7)
        self.directory = directory
        self.time = float(NOW)
        self.nodes = {f"p{number}": Node(number) for number in numbers or (220, 221)}
        self.collector_started = NOW - 86400
        self.schedds: list[dict[str, Any]] = [self.schedd("submit.test")]
        self.queue: dict[str, list[IdleGroup] | CondorError] = {}
        self.machines: list[frozenset[str] | None] | CondorError | None = None
        self.broken: dict[str, CondorError] = {}
        self.calls: list[str] = []
        self.asked: list[tuple[str, str, str]] = []
        self.unanswered: CondorError | None = None
        self.age = 0
        """of all ads"""
        self.copies: list[int] | CondorError = []
        """when the site's collector heard the copies of the containers' ads"""
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self._lock = threading.Lock()

    def schedd(self, name: str, idle: int = 0, identity: str = "condor@test", heard: int = 0) -> dict[str, Any]:
        return {
            "Name": name,
            "MyAddress": f"<{name}>",
            "LastHeardFrom": heard or int(self.time) - 5,
            "TotalIdleJobs": idle,
            "AuthenticatedIdentity": identity,
        }

    def later(self, seconds: int = 300) -> None:
        """Let time pass in which the access points go on speaking."""
        self.time += seconds
        for schedd in self.schedds:
            schedd["LastHeardFrom"] = int(self.time) - 5

    # What the ads say

    def _common(self, machine: str, name: str) -> dict[str, Any]:
        then = int(self.time) - self.age
        return {"Name": name, "Machine": machine, "MyAddress": f"<{machine}>", "MyCurrentTime": then, "LastHeardFrom": then}

    def _slots(self, node: Node, flocking: bool) -> list[dict[str, Any]]:
        machine = f"{'f' if flocking else 'p'}{node.number}.test"
        running = [{"Cpus": cores} for cores in node.local] if not flocking else node.foreign
        drained = bool(node.drain_reason) and not flocking
        whole = {
            **self._common(machine, f"slot1@{machine}"),
            "State": "Drained" if drained else "Unclaimed",
            "Activity": ("Retiring" if running else "Idle") if drained else "Idle",
            "PartitionableSlot": True,
            "NumDynamicSlots": len(running),
            "Cpus": node.cores - sum(int(job["Cpus"]) for job in running),
            "TotalSlotCpus": node.cores,
            "FlockNode": flocking,
        }
        if drained:
            whole["DrainReason"] = node.drain_reason
        if flocking:
            whole.update({"FlockHost": node.name, **({"FlockOpenUntil": node.open_until} if node.open_until else {})})
        else:
            whole.update(node.verified)
        dynamic = [
            {
                **self._common(machine, f"slot1_{position}@{machine}"),
                "State": "Claimed",
                "Activity": "Busy",
                "DynamicSlot": True,
                "FlockNode": flocking,
                **({"FlockHost": node.name} if flocking else {}),
                **job,
            }
            for position, job in enumerate(running, 1)
        ]
        return [whole, *dynamic]

    def query(
        self, collector: str, kind: str, attributes: Sequence[str], constraint: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        self.asked.append((collector, kind, constraint))
        if self.unanswered:
            raise self.unanswered
        flocking = collector == FLOCK
        if constraint.startswith("FlockMirrored =?= true"):
            if isinstance(self.copies, CondorError):
                raise self.copies
            return [{"LastHeardFrom": heard} for heard in self.copies]
        if kind == "Collector":
            now = int(self.time)
            return [{"StatsLastUpdateTime": now, "StatsLifetime": now - self.collector_started}]
        if kind == "Schedd":
            return self.schedds
        found: list[dict[str, Any]] = []
        for node in self.nodes.values():
            if not (node.flocking_ad if flocking else node.regular_ad):
                continue
            if kind == "Slot":
                found += self._slots(node, flocking)
        assert all(set(ad) <= set(attributes) for ad in found), "something is in an ad that nobody asked for"
        return found

    def groups(self, schedd: Schedd, collector: str, before: int) -> list[IdleGroup]:
        answer = self.queue.get(schedd.name, [])
        if isinstance(answer, CondorError):
            raise answer
        return answer

    def matched(self, groups: Sequence[IdleGroup], collector: str, constraint: str) -> Callable[[], list[IdleGroup]]:
        if isinstance(self.machines, CondorError):
            raise self.machines
        machines = self.machines or [None] * len(groups)
        return lambda: [replace(group, machines=each) for group, each in zip(groups, machines)]

    # What the commands do

    def _note(self, startd: Startd, what: str) -> Node:
        with self._lock:
            self.calls.append(f"{startd.name} {what}")
        if startd.name in self.broken:
            raise self.broken[startd.name]
        return self.nodes["p" + startd.name[1:]]

    def drain(self, startd: Startd, how: How, reason: str) -> None:
        node = self._note(startd, f"drain {how.value} {reason}")
        if node.local:
            raise NotEmpty(f"{startd.name} runs something")
        node.drain_reason = reason

    def cancel_drain(self, startd: Startd) -> None:
        self._note(startd, "cancel").drain_reason = ""

    def vacate(self, startd: Startd, how: How) -> None:
        self._note(startd, f"vacate {how.value}").foreign.clear()

    def set_open_until(self, startd: Startd, until: int) -> None:
        self._note(startd, f"open until {until - NOW}" if until else "close").open_until = until

    # A shepherd for it

    def configuration(self, **values: Any) -> Configuration:
        settings = {
            "dwell": 0,
            "low_cycles": 1,
            "high_cycles": 1,
            "reserve": 0.5,
            "collector_age": 60,
            "out_share": 1.0,
            **values.pop("settings", {}),
        }
        return parse({"settings": settings, "state_directory": str(self.directory), **values})

    def pool(self) -> Pool:
        return Pool(self, flock_collector=FLOCK, policy=AdFreshness(settle=60), clock=lambda: self.time)

    def cycle(self, monitoring: Monitoring | None = None, **values: Any) -> CycleRunner:
        return CycleRunner(
            self.configuration(**values),
            pool=self.pool(),
            queues=self,
            make=self.pool,
            monitoring=monitoring,
            log=lambda event, **facts: self.lines.append((event, facts)),
        )
