"""Which collector a look is taken from, and since when that listens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.adapter import Pool
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.collectors import listed, started
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError, NoAnswer
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import AdFreshness, State
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.tools import Tools

NOW = 1_800_000_000
OLD, YOUNG = NOW - 9000, NOW - 8


def own(
    address: str = "<10.0.0.1:9618?addrs=10.0.0.1-9618&alias=a.test&noUDP&sock=collector>", since: int = OLD, **ad: Any
) -> dict[str, Any]:
    return {
        "Name": "pool",
        "Machine": "a.test",
        "MyAddress": address,
        "StatsLastUpdateTime": NOW,
        "StatsLifetime": NOW - since,
        **ad,
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        (" , ", ()),
        ("a", ("a",)),
        ("a, b", ("a", "b")),
        ("a b:9619,c?sock=x ,a", ("a", "b:9619", "c?sock=x")),
        (
            "<10.0.0.1:9618?addrs=10.0.0.1-9618+[--1]-9618&sock=c>, b",
            ("<10.0.0.1:9618?addrs=10.0.0.1-9618+[--1]-9618&sock=c>", "b"),
        ),
    ],
)
def test_lists_of_collectors(value: str, expected: tuple[str, ...]) -> None:
    assert listed(value) == expected


def test_the_collectors_start_is_where_its_statistics_begin() -> None:
    assert started([own()]) == OLD
    assert started([{"StatsLastUpdateTime": NOW}]) == 0
    assert started([own(StatsLifetime=True)]) == 0
    # Its clock was ahead when it was started, and was set back since.
    assert started([own(since=NOW + 20_000)]) == NOW + 20_000
    for odd in (1e300, -1e300, float("nan"), 2**62):
        assert started([own(StatsLifetime=odd)]) >= 0
    assert started([]) == 0


@pytest.mark.parametrize("asked", ["a.test", "A.test:9618", "10.0.0.1", "10.0.0.1:9618?sock=collector", "<10.0.0.1:9618>", ""])
@pytest.mark.parametrize("other", [OLD - 5, YOUNG])
def test_a_collectors_own_ad_is_not_that_of_another_one(asked: str, other: int) -> None:
    sent = own("<10.0.0.2:9618?alias=b.test&sock=collector>", other, Machine="b.test", AuthenticatedIdentity="condor@test")
    assert started([sent, own()], asked) == started([own(), sent], asked) == OLD
    # The same address, as somebody says.
    forged = own(since=other, AuthenticatedIdentity="condor@test")
    assert started([forged, own()], asked) == OLD
    assert started([sent], asked) == 0


def test_without_authentication_a_collectors_own_ad_bears_its_address_and_the_youngest_is_believed() -> None:
    other = own("<10.0.0.2:9618?sock=collector>", YOUNG, Machine="b.test")
    beside = own("<10.0.0.1:9618?sock=flock_collector>", YOUNG)
    assert started([other, beside, own()], "a.test:9618") == OLD
    assert started([other, beside, own()], "a.test:9618?sock=flock_collector") == YOUNG
    assert started([own(), other], "cm.test") == YOUNG
    assert started([own(), own(StatsLastUpdateTime=None)], "a.test") == 0


class Two:
    """Collectors ``a`` and ``b`` that answer or do not; each knows the startds that it has heard of."""

    def __init__(self, **starts: int | CondorError) -> None:
        self.starts: dict[str, int | CondorError] = dict(starts)
        self.slots: dict[str, list[str]] = {"a": ["p220"], "b": ["p220"]}
        self.off: dict[str, list[str]] = {"a": [], "b": []}
        self.asked: list[tuple[str, str]] = []
        self.deadlines: list[float] = []
        self.after: dict[tuple[str, str], int | CondorError] = {}
        """what becomes of a collector when it was asked for something"""

    def query(
        self, collector: str, kind: str, attributes: Sequence[str], constraint: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        self.asked.append((collector, kind))
        self.deadlines.append(deadline or 0)
        start = self.starts[collector]
        self.starts[collector] = self.after.pop((collector, kind), start)
        if isinstance(start, CondorError):
            raise start
        if kind == "Collector":
            other = own("<b>", YOUNG, AuthenticatedIdentity="condor@test")
            return [other, own(f"<{collector}:9618>", start, Machine=collector)]
        if kind == "Slot":
            return [
                {"Name": f"slot1@{name}", "Machine": name, "LastHeardFrom": NOW, "PartitionableSlot": True, "State": "Unclaimed"}
                for name in self.slots[collector]
            ]
        return [
            {"Name": name, "Machine": name, "LastHeardFrom": NOW, "STARTD_StartTime": 0 if name in self.off[collector] else OLD}
            for name in ("p220",)
        ]


def pool(two: Two) -> Pool:
    return Pool(Tools(7), transport=two, collector="a, b", policy=AdFreshness(900, 400), clock=lambda: NOW)  # type: ignore[arg-type]


HUNG, DEAD = NoAnswer("no answer within 3.5 s"), CondorError("connection refused")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (OLD, OLD, "a"),
        (OLD, YOUNG, "a"),
        (OLD, DEAD, "a"),
        (YOUNG, OLD, "b"),
        (DEAD, OLD, "b"),
        (HUNG, OLD, "b"),
        (HUNG, YOUNG, "b"),
        # Of young ones the oldest: its age says what it is good for.
        (YOUNG, YOUNG - 1, "b"),
        (YOUNG - 1, YOUNG, "a"),
        (YOUNG, HUNG, "a"),
    ],
)
def test_all_ads_of_a_look_are_one_collectors(first: int | CondorError, second: int | CondorError, expected: str) -> None:
    two = Two(a=first, b=second)
    two.slots = {"a": [], "b": [], expected: ["p220"]}
    seen = pool(two)
    for _ in range(2):
        (startd,) = seen.observe().values()
        assert (startd.state, startd.collector) == (State.ON, expected)
    assert {who for who, kind in two.asked if kind != "Collector"} == {expected}
    # They share one deadline: the second one is asked before it has passed.
    assert two.asked[0] == ("a", "Collector") and two.deadlines[0] <= 3.5


def test_one_that_is_good_is_asked_first_the_next_time() -> None:
    two = Two(a=HUNG, b=OLD)
    seen = pool(two)
    seen.observe()
    two.asked.clear()
    seen.observe()
    assert {who for who, _ in two.asked} == {"b"}


@pytest.mark.parametrize("after", ["Collector", "Slot", "Master"])
@pytest.mark.parametrize("failure", [HUNG, DEAD])
def test_another_one_is_asked_when_one_fails_within_a_look(after: str, failure: CondorError) -> None:
    two = Two(a=OLD, b=OLD)
    two.after[("a", after)] = failure
    (startd,) = pool(two).observe().values()
    assert startd.collector == "b" and startd.state is State.ON


def test_one_that_was_restarted_within_a_look_is_young() -> None:
    two = Two(a=OLD, b=HUNG)
    two.slots["a"] = []
    two.off["a"] = ["p220"]
    assert pool(two).observe()["p220"].closed
    two.after[("a", "Slot")] = YOUNG
    startd = pool(two).observe()["p220"]
    assert startd.state is State.UNKNOWN and "listens only since 8 s" in startd.why


def test_nothing_is_seen_when_none_answers() -> None:
    with pytest.raises(CondorError, match=r"no collector answered: a: no answer within 3\.5 s; b: connection refused"):
        pool(Two(a=HUNG, b=DEAD)).observe()
