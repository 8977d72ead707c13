"""What ads mean."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.ads import MOST, CollectorAnswer, MasterAd, SlotAd
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import AdFreshness, State, describe

NOW = 1_800_000_000
POLICY = AdFreshness(stale=900, settle=400)


def slot(machine: str = "p220.test", **ad: Any) -> SlotAd:
    return SlotAd.parse(
        {
            "Name": f"slot1@{machine}",
            "Machine": machine,
            "MyAddress": "<10.0.0.1:9618>",
            "State": "Unclaimed",
            "PartitionableSlot": True,
            "NumDynamicSlots": 0,
            "LastHeardFrom": NOW - 5,
            "MyCurrentTime": NOW - 5,
            "FlockNode": False,
            **ad,
        }
    )


def fold(**ad: Any) -> SlotAd:
    return slot("f220.test", **{"FlockNode": True, "FlockHost": "p220", **ad})


def dynamic(machine: str = "p220.test", **ad: Any) -> SlotAd:
    base = {"Name": f"slot1_1@{machine}", "PartitionableSlot": False, "DynamicSlot": True, "State": "Claimed"}
    return slot(machine, **{**base, **ad})


def master(machine: str = "p220.test", **ad: Any) -> MasterAd:
    return MasterAd.parse({"Name": machine, "Machine": machine, "LastHeardFrom": NOW - 5, "STARTD_StartTime": 0, **ad})


def snapshot(*ads: SlotAd | MasterAd, since: int = NOW - 9000, **facts: Any) -> CollectorAnswer:
    slots = tuple(ad for ad in ads if isinstance(ad, SlotAd))
    masters = tuple(ad for ad in ads if isinstance(ad, MasterAd))
    return CollectorAnswer(collector="", taken=NOW, started=since, slots=slots, masters=masters, **facts)


@pytest.mark.parametrize(
    ("ads", "state", "busy"),
    [
        ([slot()], State.ON, 0),
        ([slot(NumDynamicSlots=1), dynamic()], State.ON, 1),
        # Left over from before the startd's end: the lasting slot's ad is newer and knows of none.
        ([slot(), dynamic(MyCurrentTime=NOW - 6)], State.ON, 0),
        ([fold(), dynamic("f220.test", FlockNode=True, MyCurrentTime=NOW - 600)], State.DRAINED, 0),
        # It is newer, or as new: a job has just begun.
        ([slot(MyCurrentTime=NOW - 6), dynamic()], State.ON, 1),
        ([slot(), dynamic()], State.ON, 1),
        # Older, but counted.
        ([slot(NumDynamicSlots=1), dynamic(MyCurrentTime=NOW - 200)], State.ON, 1),
        # The partitionable slot's own count says more than ads that have not come yet.
        ([slot(NumDynamicSlots=2), dynamic()], State.ON, 2),
        ([slot(State="Drained", Draining=True, DrainReason="x")], State.DRAINED, 0),
        ([slot(State="Drained", Draining=True, NumDynamicSlots=1), dynamic(Draining=True)], State.DRAINING, 1),
        # The drain has begun on one slot only.
        ([slot(State="Drained"), slot(Name="slot2@p220.test", State="Unclaimed")], State.DRAINING, 0),
        ([slot(State="Claimed", PartitionableSlot=False)], State.ON, 1),
        ([slot(LastHeardFrom=NOW - 901)], State.UNKNOWN, 0),
        ([slot(), slot(Name="slot1@other@p220.test")], State.UNKNOWN, 0),
        ([fold()], State.DRAINED, 0),
        ([fold(FlockOpenUntil=NOW + 1)], State.ON, 0),
        ([fold(FlockOpenUntil=NOW)], State.DRAINING, 0),
        # The lease has ended; an ad that is older than its end cannot say that nothing started in the last moment.
        ([fold(FlockOpenUntil=NOW - 2)], State.DRAINING, 0),
        ([fold(FlockOpenUntil=NOW - 6)], State.DRAINED, 0),
        ([fold(NumDynamicSlots=1), dynamic("f220.test", FlockNode=True)], State.DRAINING, 1),
        ([fold(FlockOpenUntil=NOW + 9, State="Drained", Draining=True)], State.DRAINED, 0),
        ([master()], State.OFF, 0),
        ([master(LastHeardFrom=NOW - 901)], State.UNKNOWN, 0),
    ],
)
def test_states(ads: list[SlotAd | MasterAd], state: State, busy: int) -> None:
    (seen,) = describe([snapshot(*ads)], POLICY).values()
    assert (seen.state, seen.busy) == (state, busy)
    assert bool(seen.why) == (state is State.UNKNOWN)


@pytest.mark.parametrize(("since", "state"), [(NOW - 400, State.OFF), (NOW - 399, State.UNKNOWN), (0, State.UNKNOWN)])
def test_a_missing_startd_is_off_only_to_a_settled_collector(since: int, state: State) -> None:
    (seen,) = describe([snapshot(master(), since=since)], POLICY).values()
    assert seen.state is state


@pytest.mark.parametrize(
    ("ads", "closed"),
    [
        ([master()], True),
        # It was started, and its first ad is not here yet or was not heard.
        ([master(STARTD_StartTime=NOW - 60)], False),
        ([master(STARTD_StartTime="undefined")], False),
        ([master(STARTD_StartTime=None)], False),
        ([master(STARTD_StartTime=False)], False),
        ([master(STARTD_StartTime=0.0)], False),
        # Two masters of one host, of which one says nothing of the kind.
        ([master(), master(Name="second@p220.test", STARTD_StartTime=NOW - 60)], False),
        ([master(), master(Name="second@p220.test")], True),
        ([master(LastHeardFrom=NOW - 901)], False),
        ([slot(State="Drained", Draining=True)], True),
        ([slot()], False),
    ],
)
def test_a_startd_is_closed_only_when_it_or_its_master_says_so(ads: list[SlotAd | MasterAd], closed: bool) -> None:
    (seen,) = describe([snapshot(*ads)], POLICY).values()
    assert seen.closed is closed
    if seen.state is State.OFF:
        assert bool(seen.why) is not closed


@pytest.mark.parametrize("since", [NOW - 399, 0])
def test_a_young_collector_says_nothing_of_the_other_side(since: int) -> None:
    own = CollectorAnswer(collector="c:9618", taken=NOW, started=since, slots=(), masters=(), only_flock=True)
    site = snapshot(slot(), slot("p221.test", FlockNode=None), master("p222.test", FlockNode=False))
    blind = {name: bool(seen.blind) for name, seen in describe([site, own], POLICY).items()}
    assert blind == {"p220": True, "p221": False, "p222": True}
    assert not any(seen.blind for seen in describe([site], POLICY).values())


def test_a_master_without_a_startd_is_none() -> None:
    central = MasterAd.parse({"Name": "submit.test", "Machine": "submit.test", "LastHeardFrom": NOW})
    assert describe([snapshot(central)], POLICY) == {}


def test_a_startd_beats_its_masters_ad() -> None:
    (seen,) = describe([snapshot(master(), slot())], POLICY).values()
    assert seen.state is State.ON


def test_flocking_startds_are_taken_from_their_own_collector() -> None:
    copy = snapshot(fold(FlockOpenUntil=NOW + 900), slot())
    own = CollectorAnswer(collector="c:9618", taken=NOW, started=1, slots=(fold(),), masters=(), only_flock=True)
    seen = describe([copy, own], POLICY)
    assert seen["f220"].state is State.DRAINED and seen["f220"].collector == "c:9618"
    assert seen["p220"].collector == ""


def test_what_is_off_in_the_flocks_collector_is_a_flocking_startd() -> None:
    own = snapshot(master("f220.test"), only_flock=True)
    assert describe([own], POLICY)["f220"].flocking
    assert describe([snapshot(master("f220.test", FlockNode=True))], POLICY)["f220"].flocking
    assert not describe([snapshot(master())], POLICY)["p220"].flocking


@pytest.mark.parametrize("value", [1e300, -1e300, 2**62, -(2**62), float("inf"), float("-inf"), float("nan"), "9" * 5000, True])
def test_numbers_of_an_ad_are_bounded(value: Any) -> None:
    ad = fold(FlockOpenUntil=value, NumDynamicSlots=value, Cpus=value, LastHeardFrom=value, MyCurrentTime=value)
    for each in (ad.open_until, ad.dynamic_slots, ad.cpus, ad.heard, ad.published):
        assert type(each) is int and 0 <= each <= MOST
    assert 0 <= MasterAd.parse({"LastHeardFrom": value}).heard <= MOST
    describe([snapshot(ad)], POLICY)


def test_hosts_of_one_name_keep_their_domains() -> None:
    seen = describe([snapshot(slot("p1.a"), slot("p1.b"), slot("p2.a"))], POLICY)
    assert list(seen) == ["p1.a", "p1.b", "p2"]


def test_nonsense_in_ads_is_the_empty_value() -> None:
    ad = SlotAd.parse({"Name": 7, "FlockNode": "yes", "FlockOpenUntil": True, "NumDynamicSlots": None, "Draining": 1})
    assert (ad.name, ad.flock_node, ad.open_until, ad.dynamic_slots, ad.draining) == ("", None, 0, 0, False)
