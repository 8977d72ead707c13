"""Freezing, verification, failures, the clock, settings: what keeps the shepherd from acting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import State
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.settings import PolicySettings, SettingsError
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide import (
    clock,
    eligibility,
    failures,
    freeze,
    remember,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide.failures import CommandOutcome
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import (
    AccessPoint,
    Collector,
    Memory,
    NodeGoal,
    NodeMemory,
    Pair,
    PairState,
    Result,
    Verification,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.observe.collector_start import CollectorStart, starts
from fake_condor import NOW
from pool_of import OLD, SETTINGS, lent, pair, seen, snapshot

S = State
DAY, WEEK = 86400, 604800
MATURE = Collector("c", NOW - 900)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, ""),
        ({"collectors": (MATURE,)}, ""),
        ({"collectors": (MATURE, Collector("d", NOW - 899))}, "collector d listens only since 899 s"),
        ({"collectors": (Collector("c", 0),)}, "does not say since when"),
        ({"collectors": (Collector("c", NOW + 50),)}, "listens only since -50 s"),
        ({"collectors": ()}, "no collector has answered"),
        ({"access_points": ()}, "local demand is not known"),
        ({"access_points": (AccessPoint("a", NOW - 900),)}, ""),
        ({"access_points": (AccessPoint("a", NOW), AccessPoint("b", NOW - 901))}, "access point b is 901 s old"),
        ({"copied": NOW - 900}, ""),
        ({"copied": NOW - 901}, "copied nothing of the flock's to the site's collector for 901 s"),
        ({"copied": 0}, "copied nothing of the flock's to the site's collector at all"),
    ],
)
def test_what_freezes(facts: dict[str, Any], words: str) -> None:
    reasons, _memory = freeze.check(snapshot(pair(), **facts), Memory(), SETTINGS)
    assert (words in " ".join(reasons)) and bool(reasons) is bool(words)


@pytest.mark.parametrize(("told", "since"), [(20_000, 0), (500, 0), (0, 0), (-100, -100)])
def test_a_collector_listens_since_it_says_or_since_it_was_seen_to_say_so(told: int, since: int) -> None:
    known: dict[str, CollectorStart] = {}
    for after in (0, 300, 1_300, 20_300):
        known = starts({"c": NOW + told}, known, NOW + after)
        assert known["c"].since == NOW + since


def test_a_collector_that_starts_again_is_young_again() -> None:
    known = starts({"c": NOW + 5_000, "d": NOW - 5_000}, {}, NOW)
    known = starts({"c": NOW + 5_001, "d": NOW - 5_000}, known, NOW + 300)
    assert (known["c"].since, known["d"].since) == (NOW + 300, NOW - 5_000)
    # The clock is set back once more.
    assert starts({"c": NOW + 5_001}, known, NOW - 600)["c"].since == NOW - 600
    assert starts({"c": 0}, known, NOW + 600)["c"].since == 0


@pytest.mark.parametrize(("unknown", "frozen"), [(4, False), (5, True)])
def test_many_unknown_startds_freeze(unknown: int, frozen: bool) -> None:
    pairs = [pair(f"p{number}", flock=S.UNKNOWN if number < unknown else S.DRAINED) for number in range(10)]
    assert bool(freeze.check(snapshot(*pairs), Memory(), SETTINGS)[0]) is frozen


def _hosts(count: int, memory: Memory, taken: int) -> tuple[bool, Memory]:
    made = snapshot(*[pair(f"p{number}") for number in range(count)], taken=taken)
    reasons, memory = freeze.check(made, memory, SETTINGS)
    return bool(reasons), memory


def test_a_fall_in_hosts_holds_until_it_is_the_new_number() -> None:
    frozen, memory = _hosts(10, Memory(), NOW)
    assert not frozen and memory.hosts == 20
    frozen, gradual = _hosts(8, memory, NOW + 300)
    assert not frozen and gradual.hosts == 16
    frozen, memory = _hosts(7, memory, NOW + 300)
    assert frozen and memory.hosts == 20
    assert _hosts(7, memory, NOW + 1800)[0]
    assert not _hosts(9, memory, NOW + 600)[0]
    frozen, memory = _hosts(7, memory, NOW + 1801)
    assert not frozen and memory.hosts == 14


@pytest.mark.parametrize(
    ("verification", "words"),
    [
        (Verification("pass", NOW), ""),
        (Verification("pass", NOW - 604800), ""),
        (Verification("pass", NOW - 604801), "604801 s old"),
        (Verification("pass", NOW + 300), ""),
        (Verification("pass", NOW + 301), "in the future"),
        (Verification("leak", NOW), "'leak'"),
        (Verification("control-failed", NOW), "'control-failed'"),
        (Verification("", NOW), "''"),
        (Verification("pass", 0), "old"),
        (None, "never verified"),
    ],
)
def test_verification(verification: Verification | None, words: str) -> None:
    why = eligibility.unverified(verification, NOW, SETTINGS)
    assert words in why and bool(why) is bool(words)


def test_the_rules_that_were_verified() -> None:
    wanted = PolicySettings(rules_hash="abc")
    assert not eligibility.unverified(Verification("pass", NOW, "abc"), NOW, wanted)
    assert "no hash" in eligibility.unverified(Verification("pass", NOW), NOW, wanted)


@pytest.mark.parametrize(
    ("ages", "words"),
    [
        ([WEEK - DAY - 1], ""),
        ([WEEK - DAY], "of p0 will be too old in 24 h"),
        ([WEEK], "of p0 will be too old in 0 h"),
        # What is too old already, or never was, is a reason of its own.
        ([WEEK + 1, None], ""),
        ([WEEK - 7200, WEEK - 3600, 0, WEEK - 9000, WEEK - 10000], "of p1, p0, p3 and 1 more node will be too old in 1 h"),
    ],
)
def test_a_verification_is_told_a_day_before_it_is_too_old(ages: list[int | None], words: str) -> None:
    pairs = [
        replace(pair(f"p{number}"), verification=None if age is None else Verification("pass", NOW - age))
        for number, age in enumerate(ages)
    ]
    warnings = eligibility.expiring(pairs, NOW, SETTINGS)
    assert words in "".join(warnings) and bool(warnings) is bool(words)


def test_a_bound_of_less_than_two_days_is_told_half_way() -> None:
    short = PolicySettings(verify_max_age=7200)
    at = [replace(pair(), verification=Verification("pass", NOW - age)) for age in (3599, 3600)]
    assert [bool(eligibility.expiring([one], NOW, short)) for one in at] == [False, True]


@pytest.mark.parametrize(
    ("verb", "each", "happened"),
    [
        (Verb.DRAIN, pair(local=S.DRAINED), CommandOutcome.SEEN),
        (Verb.DRAIN, pair(local=S.DRAINED, reason="new disks"), CommandOutcome.FAILED),
        (Verb.DRAIN, pair(), CommandOutcome.FAILED),
        (Verb.DRAIN, pair(regular_heard=NOW - 41), CommandOutcome.NONE),
        (Verb.DRAIN, pair(regular_facts={"busy": 1}), CommandOutcome.NONE),
        (Verb.DRAIN, pair(local=S.UNKNOWN), CommandOutcome.NONE),
        (Verb.CANCEL_DRAIN, pair(), CommandOutcome.SEEN),
        (Verb.CANCEL_DRAIN, pair(local=S.DRAINED), CommandOutcome.FAILED),
        (Verb.CANCEL_DRAIN, pair(local=None), CommandOutcome.NONE),
        (Verb.OPEN, lent(), CommandOutcome.SEEN),
        (Verb.OPEN, pair(local=S.DRAINED), CommandOutcome.FAILED),
        (Verb.CLOSE, pair(), CommandOutcome.SEEN),
        (Verb.CLOSE, lent(), CommandOutcome.FAILED),
        (Verb.CLOSE, lent(flocking_heard=NOW - 50), CommandOutcome.NONE),
        (Verb.START, pair(), CommandOutcome.SEEN),
        (Verb.START, pair(flock=S.OFF), CommandOutcome.FAILED),
        (Verb.VACATE, lent(busy=3), CommandOutcome.SEEN),
    ],
)
def test_whether_a_command_came_to_pass(verb: Verb, each: Pair, happened: CommandOutcome) -> None:
    node = replace(OLD, pending=verb, pending_at=NOW - 100)
    assert failures.outcome(each, node, None, NOW, SETTINGS) is happened
    assert failures.outcome(each, node, Result("p1", verb, "no answer"), NOW, SETTINGS) is CommandOutcome.FAILED
    assert (
        failures.outcome(each, node, Result("p1", verb, "it runs something", refused=True), NOW, SETTINGS)
        is CommandOutcome.REFUSED
    )
    assert failures.outcome(each, OLD, None, NOW, SETTINGS) is CommandOutcome.NONE


def test_failures_in_a_row() -> None:
    settings = PolicySettings(backoff=100, backoff_max=300, quarantine_after=5, quarantine=7000)
    node, pauses = replace(OLD, pending=Verb.DRAIN), []
    for _failure in range(5):
        assert not node.quarantined_until
        node = failures.after("p1", node, CommandOutcome.FAILED, NOW, settings, jitter=lambda name, count: 0.5)
        pauses.append(max(0, node.retry_at - NOW))
        assert node.pending is None
    # Once more at once, then later and later.
    assert pauses == [0, 100, 200, 300, 300]
    assert (node.failures, node.quarantined_until) == (5, NOW + 7000)
    healed = failures.after("p1", node, CommandOutcome.SEEN, NOW, settings, jitter=lambda name, count: 0.5)
    assert (healed.failures, healed.retry_at) == (0, 0)


def test_jitter() -> None:
    jitter = failures.seeded("a")
    values = [jitter(f"p{number}", 2) for number in range(200)]
    assert all(0 <= value < 1 for value in values) and len(set(values)) == 200
    assert values == [failures.seeded("a")(f"p{number}", 2) for number in range(200)] != [failures.seeded("b")("p0", 2)]
    pauses = {failures.pause(2, f"p{number}", PolicySettings(backoff=100), jitter) for number in range(200)}
    assert min(pauses) >= 50 and max(pauses) < 150 and len(pauses) > 50


@pytest.mark.parametrize(("bad", "good", "breaks"), [(3, 0, False), (4, 0, True), (2, 2, False), (3, 2, True), (0, 9, False)])
def test_the_breaker(bad: int, good: int, breaks: bool) -> None:
    outcomes = [CommandOutcome.FAILED] * bad + [CommandOutcome.SEEN] * good + [CommandOutcome.NONE, CommandOutcome.REFUSED] * 9
    assert failures.breaks(outcomes, SETTINGS) is breaks


def test_the_first_failure_of_a_node_counts() -> None:
    results = [Result("p1", Verb.CLOSE, "no answer"), Result("p1", Verb.VACATE), Result("p2", Verb.OPEN)]
    assert failures.by_node(results) == {"p1": results[0], "p2": results[2]}


def test_a_clock_set_back() -> None:
    node = NodeMemory(began=5, opened_at=NOW - 10, closed_at=NOW + 200, quarantined_until=NOW + 800, failures=2)
    memory = Memory(at=NOW + 300, hosts_at=NOW + 300, breaker_until=NOW + 400, nodes={"p1": node})
    why, after = clock.check(snapshot(pair("p1"), pair("p2")), memory, SETTINGS)
    assert "set back by at least 300 s" in why
    assert (after.at, after.hosts_at, after.breaker_until) == (NOW, NOW, NOW + 100)
    assert after.nodes["p1"] == NodeMemory(began=NOW + 300, closed_at=NOW, quarantined_until=NOW + 500, failures=2)
    assert after.nodes["p2"].began == NOW + 300
    assert clock.check(snapshot(), replace(memory, at=NOW + 30), SETTINGS)[0] == ""
    far = clock.check(snapshot(pair()), replace(memory, at=NOW + 90_000), SETTINGS)[1]
    assert far.nodes["p1"].began == NOW + clock.LONGEST


def test_an_ad_from_the_future_shows_that_the_clock_was_set_back() -> None:
    why, after = clock.check(snapshot(pair(flocking_heard=NOW + 100)), Memory(), SETTINGS)
    assert why and after.nodes["p1"].began == NOW + 100


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"policy": "greed"}, "policy is 'greed': expected one of balance, threshold."),
        ({"reserve": 1.5}, "reserve is 1.5: expected a share from 0 to 1."),
        ({"reserve": -0.1}, "reserve is -0.1: expected a share from 0 to 1."),
        ({"reserve": float("nan")}, "reserve is nan: expected a share"),
        ({"reserve": True}, "reserve is True: expected a share"),
        ({"threshold": -1}, "threshold is -1: expected a whole number, 0 or more."),
        ({"threshold": "600"}, "threshold is '600': expected a whole number"),
        ({"low": 9, "high": 3}, "low is 9: expected no more than high, which is 3."),
        ({"lease": 500}, "lease is 500: expected at least two cycles, which are 600 s."),
        ({"cycle": 0}, "cycle is 0: expected a whole number of seconds above 0."),
        ({"low_cycles": 0}, "low_cycles is 0: expected a whole number, 1 or more."),
        ({"backoff": 300, "backoff_max": 10}, "backoff_max is 10: expected no less than backoff, which is 300."),
        ({"rules_hash": 7}, "rules_hash is 7: expected a text."),
        ({"reserv": 0.5}, "reserv is 0.5: expected no such setting"),
    ],
)
def test_bad_settings(values: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as raised:
        PolicySettings.parse(values)
    assert len(raised.value.problems) == 1 and words in raised.value.problems[0]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        PolicySettings.parse({"reserve": 2, "cycle": -5, "fall": "x"})
    assert len(raised.value.problems) == 3
    assert PolicySettings.parse({"reserve": 0.5}) == PolicySettings(reserve=0.5)


def test_the_memory_as_text() -> None:
    node = NodeMemory(1, PairState.FLOCK, 2, NodeGoal.LOCAL, 3, 4, 5, 6, 7, 8, pending=Verb.CLOSE, pending_at=9)
    memory = Memory(1, 2, (3, 4), 5, 6, 7, {"p1": node, "p2": NodeMemory()})
    assert remember.load(remember.dump(memory)) == (memory, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"at": 1}',
        '{"at":"x","missing":[],"nodes":{}}',
        '{"missing":["x"],"nodes":{}}',
        '{"missing":3,"nodes":{}}',
        '{"nodes":{"p1":{"state":"away"}}}',
        '{"nodes":{},"missing":[],"more":1}',
        '{"nodes":[1]}',
    ],
)
def test_a_memory_that_cannot_be_read_is_empty(text: str) -> None:
    memory, problem = remember.load(text)
    assert memory == Memory() and "cannot be read" in problem


def test_seen_by_default() -> None:
    assert seen(pair()).sure_closed
