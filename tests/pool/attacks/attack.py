"""What an attack is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .answer import Answer
from .ground import Ground


@dataclass(frozen=True)
class Attack:
    """One attack: a job, and the question whether it succeeded.

    ``item``: of the adversarial list. ``script``: the job's executable; without one there is no job, only the judge.
    ``control``: which unprotected way of running a job shows that the attack works (ground.py has them). ``during``: what
    is done to the job while it runs. ``judge``: what came of it, given the cluster; without one the job itself prints
    ``BREACH …`` or anything else. ``rules``: settings of the switch that it meets; with ``control_rules`` the control is
    the same job on the same host with those. ``waived``: why the attack may succeed here. ``endless``: the job need not
    end, where it succeeds. ``suites`` and ``drivers``: where it makes sense, if not everywhere.
    """

    name: str
    item: str
    script: str = ""
    control: str = "condor"
    lines: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    during: Callable[[Ground, str], None] | None = None
    judge: Callable[[Ground, str], Answer | None] | None = None
    rules: tuple[tuple[str, object], ...] = ()
    control_rules: tuple[tuple[str, object], ...] | None = None
    waived: str = ""
    user: str = "alice"
    endless: bool = False
    suites: tuple[str, ...] = ("trixie", "sid")
    drivers: tuple[str, ...] = ("newuidmap", "userv")


@dataclass(frozen=True)
class Outcome:
    """What came of an attack: with the control, and with the switch. None: it did not even come to an answer."""

    attack: Attack
    control: Answer | None
    protected: Answer | None

    @property
    def verdict(self) -> str:
        """In a word; ``FAILED …`` when this is none that a site could live with."""
        if self.protected is None:
            return "FAILED: no answer"
        if self.protected.breach:
            return "waived" if self.attack.waived else "FAILED: breached"
        if self.control is None or not self.control.breach:
            return "FAILED: its control does not breach"
        return "blocked"


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as a table, with the sum as its last line."""
    rows = [("item", "attack", "without protection", "with the switch", "verdict")]
    for each in outcomes:
        control, protected = (_short(answer) for answer in (each.control, each.protected))
        rows.append((each.attack.item, each.attack.name, control, protected, each.verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines += [f"waived: {each.attack.name}: {each.attack.waived}" for each in outcomes if each.verdict == "waived"]
    verdicts = [each.verdict for each in outcomes]
    lines.append(f"attempts {len(verdicts)}, blocked {verdicts.count('blocked')}, waived {verdicts.count('waived')}")
    return "\n".join(lines) + "\n"


def _short(answer: Answer | None) -> str:
    if answer is None:
        return "no answer"
    return (answer.words.splitlines() or ["-"])[0][:60]
