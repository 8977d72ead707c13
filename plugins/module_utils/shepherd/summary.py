# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cycle as plain data: for the command line, the module, the metrics. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from .cycle import Report, is_renewal
from .model import Decision, NodeMemory, Pair, PairState, PoolSnapshot

DRAINS = (PairState.DRAINING_LOCAL, PairState.DRAINING_FLOCK)


def node(decision: Decision, pair: Pair, memory: NodeMemory | None, report: Report) -> dict[str, Any]:
    """One node as plain data. Times in epoch seconds, 0 for never."""
    failures = memory.failures if memory else 0
    return {
        "name": decision.node,
        "state": decision.state.value,
        "since": decision.since,
        "wanted": decision.wanted.value if decision.wanted else None,
        "reason": decision.reason,
        "actions": [str(action) for action in decision.actions],
        "cores": pair.cores,
        "free_cores": pair.free,
        "regular": pair.regular.state.value if pair.regular else None,
        "flocking": pair.flocking.state.value if pair.flocking else None,
        "local_jobs": pair.regular.busy if pair.regular else 0,
        "foreign_jobs": pair.flocking.busy if pair.flocking else 0,
        "open_until": pair.flocking.open_until if pair.flocking else 0,
        "verification": asdict(pair.verification) if pair.verification else None,
        "silenced": decision.node in report.downtimes,
        "failures": failures,
        "facts": dict(decision.facts),
    }


def nodes(report: Report) -> list[dict[str, Any]]:
    """All nodes of a cycle; none when there was no cycle."""
    if report.snapshot is None or report.decisions is None:
        return []
    pairs = {pair.name: pair for pair in report.snapshot.pairs}
    return [
        node(decision, pairs[decision.node], report.after.nodes.get(decision.node), report) for decision in report.decisions.nodes
    ]


def local_wait(snapshot: PoolSnapshot) -> int:
    """Seconds that the first of the local jobs that could run here has waited, as far as that is known."""
    since = [group.oldest for group in snapshot.idle if group.oldest and (group.nodes is None or group.nodes)]
    return max(0, snapshot.taken - min(since)) if since else 0


def sent(report: Report) -> dict[str, dict[str, int]]:
    """How many commands were sent, by verb and by what became of them; renewals of leases are a verb of their own."""
    renewed = set()
    if report.decisions is not None:
        renewed = {decision.node for decision in report.decisions.nodes if decision.actions and is_renewal(decision)}
    found: dict[str, Counter[str]] = {}
    for result in report.results:
        verb = "renew" if result.node in renewed else result.verb.value
        outcome = "refused" if result.refused else "failed" if result.error else "taken"
        found.setdefault(verb, Counter())[outcome] += 1
    return {verb: dict(counts) for verb, counts in found.items()}


def whole(report: Report) -> dict[str, Any]:
    """The cycle as a whole."""
    found: dict[str, Any] = {
        "error": report.error,
        "problems": list(report.problems),
        "took": round(report.took, 3),
        "sent": sent(report),
        "effects": list(report.effects),
        "silenced": len(report.downtimes),
    }
    if report.snapshot is not None and report.decisions is not None:
        states = Counter(decision.state.value for decision in report.decisions.nodes)
        found.update(
            taken=report.snapshot.taken,
            cycle=asdict(report.decisions.cycle),
            states={state.value: states.get(state.value, 0) for state in PairState},
            local_wait=local_wait(report.snapshot),
            last_cycle=report.before.at,
        )
    return found
