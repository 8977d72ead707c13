# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the shepherd sees, remembers and decides, as typed values. Pure.

Times are epoch seconds by the clock of the host that asks the collector (which is the collector's own where the shepherd
runs on the central manager); 0 is "never" or "not said". Durations are seconds. Cores are those that the regular startd
offers to local jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Union

from ..condor import goals
from ..condor.goals import Verb
from ..condor.state import Startd

DRAIN_OWNER = "shepherd"
"""what the reason of our drains begins with: ``shepherd/<epoch>:flock``"""

Fact = Union[str, int, float, bool]
"""what a decision was made of, as it goes into a log line or JSON"""


class PairState(str, Enum):
    """What a node's two startds are seen to be together."""

    LOCAL = "local"
    """local jobs may start; the flocking side is closed and empty"""
    DRAINING_LOCAL = "draining local"
    """on its way out: the regular side is drained or draining by us, the flocking side was not opened yet"""
    FLOCK = "flock"
    """foreign jobs may start; the regular side is drained by us and empty"""
    DRAINING_FLOCK = "draining flock"
    """on its way back: the flocking side is closed, and some job still runs there or the regular side is not back yet"""
    UNKNOWN = "unknown"
    """the ads of one side are missing or do not say: left as it is"""
    CONFLICT = "conflict"
    """the regular side is not empty and closed, and neither is the flocking one"""
    QUARANTINED = "quarantined"
    """local, and not lent because commands to it failed too often"""
    HELD = "held"
    """somebody else's: held for maintenance, or drained by somebody else"""
    OFF = "off"
    """not lent: switched off by an override, or its regular startd is off"""


class NodeGoal(str, Enum):
    """Whom a node is to work for."""

    LOCAL = "local"
    FLOCK = "flock"


class Stage(str, Enum):
    """How far the taking back of a flocking node has got, in condor_drain's words."""

    GRACEFUL = "graceful"
    """closed; every job has until its declared end, or until the cap when that comes first"""
    QUICK = "quick"
    """every job is asked to end and has the startd's MAXVACATETIME for it"""
    FAST = "fast"
    """every job is killed"""


@dataclass(frozen=True)
class ForeignJob:
    """One foreign job that runs on a node's flocking startd."""

    slot: str
    cores: int
    started: int
    """when it began (JobStart of the slot's ad)"""
    declared_end: int = 0
    """when it ends at the latest by its own account (start and the run time it asked for); 0 when it does not say"""


@dataclass(frozen=True)
class Verification:
    """What the last run of the isolation probes found: the FlockVerify* attributes of the regular ad (role verify)."""

    result: str
    """FlockVerifyResult: ``pass``, ``leak`` or ``control-failed``"""
    time: int
    """FlockVerifyTime"""
    rules_hash: str = ""
    """FlockVerifyRulesHash: SHA-256 of the node's rules that were running"""
    gateway_rules_hash: str = ""
    """FlockVerifyGatewayRulesHash"""


@dataclass(frozen=True)
class Pair:
    """One node: its regular startd ``p220`` and its flocking one ``f220``."""

    name: str
    """the regular side's host name without the domain"""
    regular: Startd | None = None
    """None when the collector has no ad of it"""
    flocking: Startd | None = None
    regular_heard: int = 0
    """when the collector got the newest ad that ``regular`` is made of (LastHeardFrom); 0 is not trusted for an opening"""
    flocking_heard: int = 0
    cores: int = 0
    """of the regular side; of a side that is not seen the last known, 0 when there is none"""
    free: int = 0
    """of them, those that no local job holds"""
    jobs: tuple[ForeignJob, ...] = ()
    """foreign jobs that run on the flocking side"""
    verification: Verification | None = None


@dataclass(frozen=True)
class AccessPoint:
    """One local access point, from its own ad. Foreign access points, which advertise themselves too, are left out."""

    name: str
    heard: int
    idle_jobs: int = 0
    """TotalIdleJobs: whatever they need"""


@dataclass(frozen=True)
class IdleJobs:
    """Idle local jobs of one kind (an autocluster)."""

    jobs: int
    cores: int
    """of one job"""
    nodes: frozenset[str] | None = None
    """names of the pairs whose regular side could run one when it is empty; None for all, the empty set for none"""
    access_point: str = ""
    oldest: int = 0
    """since when the first of them waits (EnteredCurrentStatus); 0 when it is not known"""


@dataclass(frozen=True)
class Collector:
    """One collector that was asked."""

    name: str
    started: int
    """since when it listens, by the clock of ``PoolSnapshot.taken``; 0 when it does not say"""


class OverrideKind(str, Enum):
    """What an override asks for."""

    OFF = "off"
    """nothing is lent: what is lent comes back"""
    HOLD = "hold"
    """left alone, for maintenance"""


@dataclass(frozen=True)
class Override:
    """What a person asks for."""

    kind: OverrideKind
    owner: str
    reason: str
    expires: int = 0
    """0: never"""
    evict: bool = False
    """of OFF: foreign jobs are evicted, instead of getting their time as always"""
    nodes: frozenset[str] = frozenset()
    """names of pairs; empty for all"""
    source: str = ""
    """the file it comes from"""


@dataclass(frozen=True)
class Result:
    """What became of an action of the last cycle when it was sent, a retry at once included."""

    node: str
    verb: Verb
    error: str = ""
    """one sentence, empty when it was taken: that it also came to pass is told by later ads alone"""
    refused: bool = False
    """whether the startd refused to be drained because it runs something (NotEmpty): no failure"""


@dataclass(frozen=True)
class PoolSnapshot:
    """What one cycle has to go by."""

    taken: int
    pairs: tuple[Pair, ...]
    collectors: tuple[Collector, ...] = ()
    access_points: tuple[AccessPoint, ...] = ()
    idle: tuple[IdleJobs, ...] = ()
    overrides: tuple[Override, ...] = ()
    results: tuple[Result, ...] = ()
    copied: int | None = None
    """when the site's collector heard the newest copy of the flock's ads, 0 without any; None where there is nothing to copy"""


@dataclass(frozen=True)
class NodeMemory:
    """What is remembered of one node.

    The times are of cycles in which something was decided; it may have come to pass later, or not at all.
    """

    began: int = 0
    """since when anything is remembered: only what was heard later proves that nothing of before is still under way"""
    state: PairState | None = None
    since: int = 0
    """since when it is in this state"""
    wanted: NodeGoal | None = None
    drained_at: int = 0
    """when its regular side was last drained by us"""
    cancelled_at: int = 0
    """when that was last cancelled"""
    opened_at: int = 0
    """when its flocking side was last opened, or its lease renewed"""
    open_seen: int = 0
    """when the newest ad was heard that shows its flocking side open or busy"""
    closed_at: int = 0
    """since when its flocking side is being closed; 0 when it is not"""
    vacated_at: int = 0
    """when its foreign jobs were first asked to end; 0 when they were not"""
    returned_at: int = 0
    """when it last came back to local work"""
    pending: Verb | None = None
    """what was sent last and has not been seen to come to pass"""
    pending_at: int = 0
    failures: int = 0
    """in a row"""
    retry_at: int = 0
    """nothing is sent before"""
    quarantined_until: int = 0


@dataclass(frozen=True)
class Memory:
    """What one cycle carries to the next. A cache: everything is safe without it, only slower.

    It has to be saved before the actions that came with it are sent; a program that cannot begins with an empty one.
    """

    at: int = 0
    """when the last cycle was decided"""
    low_cycles: int = 0
    """for how many cycles in a row demand was low"""
    missing: tuple[int, ...] = ()
    """cores that waiting jobs missed in each of the last cycles in a row in which demand was high, the newest last"""
    hosts: int = 0
    """startds that were seen before their number fell"""
    hosts_at: int = 0
    """when that many were last seen"""
    breaker_until: int = 0
    """nothing is lent before, because too many commands failed"""
    nodes: Mapping[str, NodeMemory] = field(default_factory=dict)


@dataclass(frozen=True)
class NodeAction:
    """One command to one startd."""

    node: str
    startd: Startd
    command: goals.StartdCommand
    drain_reason: str = ""
    """of DRAIN: the whole text of the drain's reason"""

    @property
    def verb(self) -> Verb:
        """What is done."""
        return self.command.verb

    def __str__(self) -> str:
        """For people and for results."""
        return f"{self.startd.name}: {self.command}"


@dataclass(frozen=True)
class Decision:
    """What is done about one node in this cycle and why; also when nothing is."""

    node: str
    state: PairState
    wanted: NodeGoal | None
    """None: left as it is"""
    reason: str
    """one sentence"""
    actions: tuple[NodeAction, ...] = ()
    """in this order; after a failure the rest is not sent"""
    since: int = 0
    """since when it is in this state"""
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class CycleSummary:
    """What one cycle found for the pool as a whole, for status, metrics and the log."""

    policy: str
    wish: str
    """one sentence"""
    demand_cores: int
    idle_jobs: int
    cores: int
    """of all nodes that are ours to lend"""
    local_cores: int
    """of them, those seen open to local jobs"""
    lent_cores: int
    reserve_cores: int
    """the least that must stay out of the flock"""
    frozen: tuple[str, ...] = ()
    """why everything is held as it is, a sentence each; empty when it is not"""
    breaker: bool = False
    off: str = ""
    """the override that switches everything off, one sentence"""
    core_hours_lost: float = 0.0
    """what the evictions of this cycle throw away"""


@dataclass(frozen=True)
class Decisions:
    """All that one cycle decided."""

    cycle: CycleSummary
    nodes: tuple[Decision, ...]
    """one for each pair, in the pairs' order"""


def drain_reason(now: int) -> str:
    """The reason that a drain begun at ``now`` bears. The ads hold the state: ours are known by it after a restart."""
    return f"{DRAIN_OWNER}/{now}:flock"


def drain_epoch(reason: str) -> int:
    """When the drain with this reason was begun, 0 when it is not ours."""
    owner, _slash, rest = reason.partition("/")
    epoch, _colon, purpose = rest.partition(":")
    if owner != DRAIN_OWNER or purpose != "flock" or not (epoch.isascii() and epoch.isdigit()):
        return 0
    return int(epoch)
