# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One cycle: see, decide, save what is to be remembered, act, keep what became of it.

The memory is on the disk before the first command is sent: a shepherd that is killed anywhere in between knows afterwards what
may be under way. Planning is the same without saving and sending.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..condor.adapter import Pool, connect
from ..condor.bindings import Bindings
from ..condor.errors import CondorError
from ..condor.goals import Verb
from ..condor.queues import Queues, bindings_of, queues
from ..condor.state import AdFreshness, State
from . import journal
from .act.dispatcher import Commander, Sender
from .act.icinga import Icinga
from .act.monitoring import Monitoring, MonitoringError, NoMonitoring
from .config.configuration import Configuration
from .decide import failures
from .decide.eligibility import expiring
from .decide.engine import decide
from .model import Decision, Decisions, Memory, PairState, PoolSnapshot, Result
from .observe.snapshot import Known, Observation, see
from .state.override_files import OverrideFiles
from .state.state_file import MEMORY, Kept, MemoryFile
from .state.turns import Turns

FORGET = 7 * 86400
"""seconds after which a pair that is not seen any more is forgotten"""
_SHARE_FOR_SENDING = 0.8
"""of a cycle's time: no command is begun after it, so that those under way end before the deadline"""


@dataclass(frozen=True)
class Report:
    """What a cycle was."""

    error: str = ""
    """why there was none, one sentence; then nothing below is filled in"""
    snapshot: PoolSnapshot | None = None
    decisions: Decisions | None = None
    before: Memory = field(default_factory=Memory)
    after: Memory = field(default_factory=Memory)
    results: tuple[Result, ...] = ()
    skipped: tuple[str, ...] = ()
    """nodes that there was no time for"""
    problems: tuple[str, ...] = ()
    """what else went wrong or is not known, a sentence each"""
    downtimes: Mapping[str, str] = field(default_factory=dict)
    """nodes that monitoring was told to be silent about"""
    effects: tuple[int, ...] = ()
    """seconds from a decision until its effect was seen, of those whose effect was seen in this cycle"""
    took: float = 0.0
    """seconds"""


def is_renewal(decision: Decision) -> bool:
    """Whether nothing is done but that an open node stays open."""
    return decision.state is PairState.FLOCK and all(action.verb is Verb.OPEN for action in decision.actions)


def is_news(decision: Decision, before: Memory) -> bool:
    """Whether a decision changes something or does something."""
    node = before.nodes.get(decision.node)
    if node is None or node.state is not decision.state or (decision.wanted and node.wanted is not decision.wanted):
        return True
    return bool(decision.actions) and not is_renewal(decision)


def effects(snapshot: PoolSnapshot, before: Memory, after: Memory) -> tuple[int, ...]:
    """Seconds from a decision to its effect, for every command whose effect was seen now."""
    found = []
    for name, node in after.nodes.items():
        earlier = before.nodes.get(name)
        if earlier is None or earlier.pending is None or node.failures > earlier.failures:
            continue
        if earlier.pending is Verb.OPEN and earlier.state is PairState.FLOCK:
            # A lease was renewed: nothing was to come of it.
            continue
        if node.pending is None or node.pending_at > earlier.pending_at:
            found.append(max(0, snapshot.taken - earlier.pending_at))
    return tuple(found)


class CycleRunner:
    """What is needed for cycles, kept from one to the next."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        pool: Pool,
        queues: Queues,
        make: Callable[[], Commander],
        close: Callable[[], None] = lambda: None,
        monitoring: Monitoring | None = None,
        log: journal.Log = journal.write,
        seed: str = "",
    ) -> None:
        """``make``: a way to HTCondor for one sending thread. ``close``: what to do at the end.

        ``seed``: of the spread of tries after failures.
        """
        self.configuration = configuration
        self.pool = pool
        self.queues = queues
        self.monitoring: Monitoring = monitoring or NoMonitoring()
        self.log = log
        self._close = close
        directory = Path(configuration.state_directory)
        self.file = MemoryFile(directory / MEMORY)
        self.overrides = OverrideFiles(directory, configuration.tmp_flockoff)
        self._turns = Turns.of(configuration)
        self._jitter = failures.seeded(seed)
        self._sender = Sender(make, configuration.pool.at_once, self.monitoring)

    def close(self) -> None:
        """End what was kept."""
        self._sender.close()
        self._close()

    def _why_not(self) -> str:
        """Why nothing is done on this one of several central managers; empty where it is this one's turn."""
        if self._turns is None:
            return ""
        try:
            why = self._turns.why_not(self.pool.now())
        except (OSError, CondorError) as error:
            return f"does not act: whose turn it is cannot be said or kept ({error})"
        # Without it the copies in the site's collector would be all that is seen of containers.
        if why or self.pool.flock_collector or not self.configuration.managers:
            return why
        return "does not act: the flock's collector is not on this host"

    def _known(self, kept: Kept, now: int) -> Known:
        cores = {name: cores for name, cores in kept.cores.items() if now - kept.seen.get(name, 0) <= FORGET}
        return Known(cores, kept.collectors)

    def _speak_again(self, kept: Kept, decisions: Decisions, snapshot: PoolSnapshot, problems: list[str]) -> dict[str, str]:
        """Tell monitoring of startds that are seen up again; what it is still silent about."""
        downtimes = dict(kept.downtimes)
        up = {pair.name for pair in snapshot.pairs if pair.regular is not None and pair.regular.state is State.ON}
        leaving = {decision.node for decision in decisions.nodes if decision.actions}
        for node in sorted(set(downtimes) & up - leaving):
            try:
                self.monitoring.after_on(node, downtimes[node])
            except MonitoringError as error:
                problems.append(f"monitoring was not told that {node} is up: {error}")
                break
            del downtimes[node]
        return downtimes

    def _say(self, report: Report) -> None:
        for problem in report.problems:
            self.log("problem", what=problem)
        if report.decisions is None:
            self.log("cycle", error=report.error)
            return
        results = {(result.node, result.verb): result for result in report.results}
        for decision in report.decisions.nodes:
            if not is_news(decision, report.before):
                continue
            errors = [
                results[key].error
                for key in ((a.node, a.verb) for a in decision.actions)
                if key in results and results[key].error
            ]
            self.log(
                "decision",
                node=decision.node,
                state=decision.state.value,
                wanted=decision.wanted.value if decision.wanted else None,
                actions=", ".join(map(str, decision.actions)) or None,
                reason=decision.reason,
                **({"error": "; ".join(errors)} if errors else {}),
                **({"skipped": True} if decision.node in report.skipped else {}),
                **decision.facts,
            )
        cycle = report.decisions.cycle
        self.log(
            "cycle",
            policy=cycle.policy,
            wish=cycle.wish,
            demand_cores=cycle.demand_cores,
            idle_jobs=cycle.idle_jobs,
            cores=cycle.cores,
            local_cores=cycle.local_cores,
            lent_cores=cycle.lent_cores,
            reserve_cores=cycle.reserve_cores,
            frozen="; ".join(cycle.frozen) or None,
            breaker=cycle.breaker,
            off=cycle.off or None,
            sent=len(report.results),
            failed=sum(bool(result.error) and not result.refused for result in report.results),
            core_hours_lost=cycle.core_hours_lost,
            seconds=report.took,
        )

    def run(self, *, plan: bool = False) -> Report:
        """One cycle. ``plan``: nothing is sent, saved or logged. Raises nothing: what went wrong is in the report."""
        began = time.monotonic()
        why = "" if plan else self._why_not()
        if why:
            self.log("standby", reason=why)
            return Report(error=why, took=time.monotonic() - began)
        kept, problem = self.file.read()
        problems = [problem] if problem else []
        settings = self.configuration.settings
        try:
            seen = see(
                self.pool,
                self.queues,
                self.configuration.scope,
                patience=2 * settings.cycle,
                known=self._known(kept, self.pool.now()),
            )
        except CondorError as error:
            report = Report(error=f"the pool cannot be seen: {error}", problems=tuple(problems), took=time.monotonic() - began)
            if not plan:
                self._say(report)
            return report
        asked = self.overrides.read()
        problems += [*seen.notes, *asked.problems, *expiring(seen.snapshot.pairs, seen.snapshot.taken, settings)]
        snapshot = replace(seen.snapshot, overrides=asked.overrides, results=kept.results)
        decisions, memory = decide(snapshot, settings, kept.memory, self._jitter)
        report = Report(
            snapshot=snapshot,
            decisions=decisions,
            before=kept.memory,
            after=memory,
            problems=tuple(problems),
            downtimes=kept.downtimes,
            effects=effects(snapshot, kept.memory, memory),
            took=time.monotonic() - began,
        )
        if plan:
            return report
        report = self._act(report, kept, seen, began)
        self._say(report)
        return report

    def _act(self, report: Report, kept: Kept, seen: Observation, began: float) -> Report:
        if report.snapshot is None or report.decisions is None:
            return report
        problems = list(report.problems)
        now = report.snapshot.taken
        just_seen = {pair.name: now for pair in report.snapshot.pairs if pair.regular or pair.flocking}
        # Before anything is told or sent: what may have been told is noted as if it had been.
        told = {
            action.node: kept.downtimes.get(action.node, "")
            for decision in report.decisions.nodes
            for action in decision.actions
            if self.monitoring.tells(action.verb)
        }
        kept = Kept(
            memory=report.after,
            cores=dict(seen.cores),
            seen={**{name: kept.seen.get(name, now) for name in seen.cores}, **just_seen},
            collectors=seen.collectors,
            downtimes={**kept.downtimes, **told},
        )
        try:
            self.file.write(kept)
        except OSError as error:
            # Without a memory on the disk one that is killed now would not know afterwards what is under way.
            problem = f"nothing is sent: the memory cannot be saved in {self.file.path}: {error.strerror}"
            return replace(report, problems=(*problems, problem), took=time.monotonic() - began)
        downtimes = self._speak_again(kept, report.decisions, report.snapshot, problems)
        left = self.configuration.deadline * _SHARE_FOR_SENDING - self.configuration.pool.timeout - (time.monotonic() - began)
        sent = self._sender.send(report.decisions.nodes, max(left, 1))
        downtimes.update(sent.silenced)
        problems += sent.problems
        if sent.skipped:
            problems.append(f"there was no time left for {len(sent.skipped)} nodes: {', '.join(sorted(sent.skipped)[:10])}")
        # What was not sent has not failed.
        unsent = {name: replace(report.after.nodes[name], pending=None, pending_at=0) for name in sent.skipped}
        memory = replace(report.after, nodes={**report.after.nodes, **unsent})
        became = replace(kept, memory=memory, results=tuple(sent.results), downtimes=downtimes)
        try:
            # It is on the disk already where nothing was sent.
            if became != kept:
                self.file.write(became)
        except OSError as error:
            problems.append(f"what became of the commands cannot be saved in {self.file.path}: {error.strerror}")
        return replace(
            report,
            results=became.results,
            skipped=tuple(sent.skipped),
            problems=tuple(problems),
            downtimes=downtimes,
            took=time.monotonic() - began,
        )


def pool_of(configuration: Configuration, reader: Bindings | None) -> Pool:
    """The adapter that a configuration asks for. ``reader``: what ads are read by, None for the tools. Raises CondorError."""
    options = configuration.pool
    return connect(
        collector=options.collector,
        flock_collector=options.flock_collector,
        tokens=options.command_tokens,
        deadline=options.timeout,
        policy=AdFreshness(stale=options.stale_after, settle=options.settle),
        bindings=options.transport == "bindings",
        reader=reader,
    )


def monitoring_of(configuration: Configuration) -> Monitoring:
    """The monitoring that a configuration names."""
    if configuration.monitoring is None:
        return NoMonitoring()
    return Icinga(configuration.monitoring)


def prepare(configuration: Configuration, *, log: journal.Log = journal.write, seed: str = "") -> CycleRunner:
    """Everything for cycles, connected. Raises CondorError."""
    bindings = bindings_of(configuration.pool.timeout, configuration.pool.interpreter)
    pool = pool_of(configuration, bindings)

    def make() -> Commander:
        # The bindings' worker is for one thread; the tools are for all.
        return pool_of(configuration, None) if configuration.pool.transport == "bindings" else pool

    def close() -> None:
        if bindings is not None:
            bindings.close()

    return CycleRunner(
        configuration,
        pool=pool,
        queues=queues(configuration.pool.timeout, bindings),
        make=make,
        close=close,
        monitoring=monitoring_of(configuration),
        log=log,
        seed=seed,
    )
