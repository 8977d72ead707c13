"""Bugs to plant in the engine, one for each rule, and the words by which the state machine must complain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import How, Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import State
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide import (
    clock,
    eligibility,
    freeze,
    node_view,
    overrides,
    reserve,
    transitions,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import Pair, drain_epoch
from hypothesis import strategies as st
from hypothesis.stateful import INITIALIZE_RULE_MARKER, RULE_MARKER, RuleBasedStateMachine, initialize, rule

BOTH = "both sides of"


@dataclass(frozen=True)
class Bug:
    """One bug: what is replaced by what, and what the state machine says then (any of these)."""

    name: str
    where: Any
    attribute: str
    instead: Callable[..., Any]
    found: tuple[str, ...]
    among: tuple[str, ...] = ()
    """what may happen, where it would take too long to come upon it among all that may; everything otherwise"""
    given: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    """and with which arguments"""


def led(machine: type[RuleBasedStateMachine], bug: Bug) -> type[RuleBasedStateMachine]:
    """The same machine, in which only what the bug names happens, with the arguments that it gives."""
    if not bug.among:
        return machine
    members = {name: getattr(machine, name) for name in dir(machine)}
    rules = {name: member for name, member in members.items() if hasattr(member, RULE_MARKER)}
    assert set(bug.among) <= set(rules), bug.among
    changed: dict[str, Any] = {name: _plain(member) for name, member in rules.items() if name not in bug.among}
    for name, values in bug.given.items():
        marker, decorate = (INITIALIZE_RULE_MARKER, initialize) if name == "begin" else (RULE_MARKER, rule)
        arguments = {**getattr(members[name], marker).arguments, **{key: st.sampled_from(value) for key, value in values.items()}}
        changed[name] = decorate(**arguments)(_plain(members[name]))
    return type("Led", (machine,), changed)


def _plain(decorated: Callable[..., Any]) -> Callable[..., Any]:
    """A method that does what a rule does; others may use it."""

    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        return decorated(self, *arguments, **options)

    return method


def _closed_by_any_ad(pair: Pair, node: Any, now: int, settings: Any) -> bool:
    flocking = pair.flocking
    return bool(flocking and not flocking.busy and flocking.state in (State.DRAINED, State.OFF) and not flocking.open_until)


def _closed_by_time(pair: Pair, node: Any, now: int, settings: Any) -> bool:
    flocking = pair.flocking
    seen = node_view.heard_since(pair.flocking_heard, max(node.opened_at, node.began), now, settings)
    return bool(flocking and not flocking.busy and flocking.state in (State.DRAINED, State.OFF) and seen)


def _empty_by_any_ad(pair: Pair, node: Any, now: int, settings: Any) -> bool:
    return bool(pair.regular and pair.regular.state is State.DRAINED and node_view.is_ours(pair.regular))


def _empty_when_draining(pair: Pair, node: Any, now: int, settings: Any) -> bool:
    return bool(pair.regular and pair.regular.drained_by_htcondor)


_look, _do, _out = node_view.look, transitions._do, transitions._out


def _missing_is_off(pair: Pair, *rest: Any, **options: Any) -> Any:
    """A startd without an ad, or with an old one, taken for one that is off; and that for drained by us."""
    changes = {}
    if pair.flocking is None or pair.flocking.state is State.UNKNOWN:
        like = pair.flocking or pair.regular
        changes["flocking"] = like and replace(
            like, state=State.OFF, said_off=True, flocking=True, busy=0, drained_by_htcondor=False
        )
    return _look(replace(pair, **changes), *rest, **options)


def _graceful(view: Any, startd: Any, verb: Verb, how: How = How.PEACEFUL, **options: Any) -> Any:
    return _do(view, startd, verb, How.GRACEFUL if verb is Verb.DRAIN else how, **options)


def _long(view: Any, startd: Any, verb: Verb, how: How = How.PEACEFUL, *, lease: int = 0, **options: Any) -> Any:
    return _do(view, startd, verb, how, lease=lease * 1000, **options)


def _at_once(view: Any, regular: Any, flocking: Any, now: int, settings: Any, *, hold: bool) -> Any:
    """Drain and open in one go."""
    made = _out(view, regular, flocking, now, settings, hold=hold)
    if made.actions and made.actions[0].verb is Verb.DRAIN:
        return replace(made, actions=(*made.actions, transitions._open(view, flocking, settings)))
    return made


BUGS = (
    Bug("closing is believed by any ad", node_view, "flock_is_closed", _closed_by_any_ad, (BOTH,)),
    Bug("closed by time alone", node_view, "flock_is_closed", _closed_by_time, ("not taken away", BOTH)),
    Bug(
        "the drain is believed by any ad",
        node_view,
        "regular_is_empty",
        _empty_by_any_ad,
        (BOTH,),
        ("late_ads",),
        {"late_ads": {"jobs": [0]}},
    ),
    Bug(
        "draining is taken for drained",
        node_view,
        "regular_is_empty",
        _empty_when_draining,
        ("not seen empty", BOTH),
        ("cycle",),
        {"cycle": {"seconds": [5, 300]}},
    ),
    Bug("drained and opened in one go", transitions, "_out", _at_once, ("not our drain", "not seen empty")),
    Bug(
        "missing is off",
        node_view,
        "look",
        _missing_is_off,
        ("without an ad", "unknown", BOTH),
        ("container_stops", "collector_restarts", "cycles"),
        {"begin": {"reserve": [0.0], "warm": [3, 4]}, "cycles": {"queue": [0, 40]}},
    ),
    Bug("a drain that evicts", transitions, "_do", _graceful, ("local jobs run there", "a local job was evicted")),
    Bug(
        "busy nodes are drained",
        eligibility,
        "not_now",
        lambda view, now, settings: "",
        ("local jobs run there", BOTH),
        ("cycles", "jobs_start"),
    ),
    Bug("no reserve", reserve, "least", lambda cores, share: 0, ("stay out",)),
    Bug("the reserve is rounded down", reserve, "least", lambda cores, share: int(cores * share), ("stay out",)),
    Bug(
        "drains under way count as local",
        node_view,
        "regular_is_local",
        lambda pair, node, now, settings: pair.regular is not None and pair.regular.state is State.ON,
        ("stay out",),
        ("late_ads",),
        {"begin": {"reserve": [0.5]}, "late_ads": {"before": [0], "jobs": [0], "kept": [True], "leak": [True], "step": [0]}},
    ),
    Bug("verification is not asked for", eligibility, "unverified", lambda verification, now, settings: "", ("not verified",)),
    Bug(
        "others' drains are taken for ours",
        node_view,
        "is_ours",
        lambda regular: regular.drained_by_htcondor,
        ("not our drain", "somebody else's"),
    ),
    Bug(
        "the clock is never set back",
        clock,
        "check",
        lambda snapshot, memory, settings: ("", memory),
        (BOTH, "stay out"),
        ("late_ads",),
        {
            "begin": {"reserve": [0.0], "warm": [2]},
            "late_ads": {"ahead": [0, 1], "before": [0], "jobs": [40], "kept": [True], "step": [-100], "seconds": [150]},
        },
    ),
    Bug("nothing is frozen", freeze, "check", lambda snapshot, memory, settings, clock="": ((), memory), ("young", "not known")),
    Bug("overrides are not heeded", overrides, "in_force", lambda standing, now: (), ("switched off", "it is held", "not back")),
    Bug("conflicts are not seen", node_view, "in_conflict", lambda pair: False, ("local work has to come first",)),
    Bug("a drain nobody followed up is opened", eligibility, "too_late", lambda view, now, settings: "", (BOTH,), ("pause",)),
    Bug("leases without end", transitions, "_do", _long, ("longer than a lease",)),
    Bug("drains are not marked", transitions, "drain_reason", lambda now: "shepherd", ("not back", BOTH)),
)

assert drain_epoch("shepherd") == 0
