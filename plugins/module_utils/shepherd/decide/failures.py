# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about commands that fail: once more, then ever later, then not at all. Pure.

A command that was taken may still come to nothing: it has failed as well when later ads do not show what it was for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from hashlib import sha256

from ...condor.goals import Verb
from ...condor.state import Startd, State
from ..config.settings import PolicySettings
from ..model import NodeMemory, Pair, Result
from .node_view import heard_since, is_ours

Jitter = Callable[[str, int], float]
"""from a node's name and its number of failures to a number from 0 to below 1"""


class CommandOutcome(str, Enum):
    """What became of a command."""

    NONE = "not known"
    SEEN = "seen to come to pass"
    REFUSED = "refused"
    FAILED = "failed"


def seeded(seed: str) -> Jitter:
    """Jitter that is the same for the same seed, and different from node to node."""

    def jitter(node: str, failures: int) -> float:
        digest = sha256(f"{seed}/{node}/{failures}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    return jitter


_REGULAR = (Verb.DRAIN, Verb.CANCEL_DRAIN)


def _target(pair: Pair, verb: Verb) -> tuple[Startd | None, int]:
    return (pair.regular, pair.regular_heard) if verb in _REGULAR else (pair.flocking, pair.flocking_heard)


def has_come_to_pass(pair: Pair, verb: Verb, at: int) -> bool:
    """Whether the ads show what a command was for. Asking jobs to end may take as long as they take: that is not judged."""
    startd, _heard = _target(pair, verb)
    if startd is None or startd.state is State.UNKNOWN:
        return False
    if verb is Verb.DRAIN:
        return is_ours(startd)
    if verb is Verb.CANCEL_DRAIN:
        return not is_ours(startd)
    if verb is Verb.OPEN:
        return startd.open_until >= at
    if verb is Verb.CLOSE:
        return not startd.open_until
    if verb is Verb.START:
        return startd.state is not State.OFF
    return True


def has_failed(pair: Pair, node: NodeMemory, result: Result | None, now: int, settings: PolicySettings) -> bool:
    """Whether the command that is pending for a node failed; only when it has not come to pass."""
    if node.pending is None:
        return False
    if result is not None and result.error and not result.refused:
        return True
    startd, heard = _target(pair, node.pending)
    if node.pending is Verb.DRAIN and startd is not None and startd.busy:
        # A job was quicker: that is why the startd itself looks again before it begins.
        return False
    return startd is not None and startd.state is not State.UNKNOWN and heard_since(heard, node.pending_at, now, settings)


def pause(failures: int, name: str, settings: PolicySettings, jitter: Jitter) -> int:
    """Seconds until the next try: none after the first failure, then doubling from ``backoff``, half to one and a half of it."""
    if failures <= 1:
        return 0
    # The exponent is bounded, since a node may fail for years.
    doubled: int = settings.backoff * 2 ** min(failures - 2, 30)
    return int(min(settings.backoff_max, doubled) * (0.5 + jitter(name, failures)))


def outcome(pair: Pair, node: NodeMemory, result: Result | None, now: int, settings: PolicySettings) -> CommandOutcome:
    """What became of a node's last command."""
    if node.pending is None:
        return CommandOutcome.NONE
    if result is not None and result.refused:
        return CommandOutcome.REFUSED
    if not (result is not None and result.error) and has_come_to_pass(pair, node.pending, node.pending_at):
        return CommandOutcome.SEEN
    return CommandOutcome.FAILED if has_failed(pair, node, result, now, settings) else CommandOutcome.NONE


def after(
    name: str, node: NodeMemory, happened: CommandOutcome, now: int, settings: PolicySettings, *, jitter: Jitter
) -> NodeMemory:
    """What is remembered of a node then."""
    if happened is CommandOutcome.NONE:
        return node
    node = replace(node, pending=None, pending_at=0)
    if happened is CommandOutcome.REFUSED:
        return node
    if happened is CommandOutcome.SEEN:
        return replace(node, failures=0, retry_at=0)
    failures = node.failures + 1
    return replace(
        node,
        failures=failures,
        retry_at=now + pause(failures, name, settings, jitter),
        quarantined_until=now + settings.quarantine if failures >= settings.quarantine_after else node.quarantined_until,
    )


def breaks(outcomes: Sequence[CommandOutcome], settings: PolicySettings) -> bool:
    """Whether so many commands failed that the fault is not with single nodes."""
    failed, seen = outcomes.count(CommandOutcome.FAILED), outcomes.count(CommandOutcome.SEEN)
    return failed + seen >= settings.breaker_least and failed > settings.breaker_ratio * (failed + seen)


def by_node(results: Sequence[Result]) -> Mapping[str, Result]:
    """The result that counts for each node: its first failure, or else its last."""
    found: dict[str, Result] = {}
    for result in results:
        if result.node not in found or not found[result.node].error:
            found[result.node] = result
    return found
