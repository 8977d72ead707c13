"""From ads to a snapshot."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.ads import FLOCKING_SLOTS, MOST, SlotAd
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError, NoAnswer
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.queues import IdleGroup, QueuesByTools
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import State
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import (
    AccessPoint,
    ForeignJob,
    IdleJobs,
    Verification,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.observe import slots
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.observe.snapshot import (
    REGULAR_SLOTS,
    Known,
    Observation,
    Scope,
    see,
)
from fake_site import FLOCK, NOW, FakeSite


def look(site: FakeSite, **options: Any) -> Observation:
    scope = options.pop("scope", Scope())
    return see(site.pool(), options.pop("queues", site), scope, **options)


def test_two_sides_make_a_pair(site: FakeSite) -> None:
    site.nodes["p220"].local = [1, 2]
    p220, p221 = look(site).snapshot.pairs
    assert p220.name == "p220" and p221.name == "p221"
    assert p220.regular is not None and p220.flocking is not None
    assert (p220.regular.state, p220.regular.busy) == (State.ON, 2)
    assert (p220.flocking.name, p220.flocking.state, p220.flocking.collector) == ("f220", State.DRAINED, FLOCK)
    assert (p220.cores, p220.free) == (4, 1) and (p221.cores, p221.free) == (4, 4)
    assert p220.regular_heard == p220.flocking_heard == NOW
    assert p220.verification == Verification("pass", NOW - 60, "aa", "bb")
    assert [(each.name, each.started) for each in look(site).snapshot.collectors] == [
        ("of the site", NOW - 86400),
        (FLOCK, NOW - 86400),
    ]


def test_copies_of_the_containers_ads_are_left_aside(site: FakeSite) -> None:
    look(site)
    constraints = {(collector, kind): constraint for collector, kind, constraint in site.asked}
    assert constraints["", "Slot"] == "FlockMirrored =!= true" and constraints[FLOCK, "Slot"] == FLOCKING_SLOTS


@pytest.mark.parametrize(
    ("age", "copies", "copied"),
    [
        (100, [NOW - 300, NOW - 100], NOW - 100),
        (100, [], 0),
        # None of these may have been copied yet.
        (59, [], None),
    ],
)
def test_whether_the_mirror_copies(site: FakeSite, age: int, copies: list[int], copied: int | None) -> None:
    site.age, site.copies = age, copies
    assert look(site).snapshot.copied == copied
    asked = [(collector, constraint) for collector, kind, constraint in site.asked if "=?= true" in constraint]
    wanted = [("", 'FlockMirrored =?= true && member(Machine, {"f220.test", "f221.test"})')]
    assert asked == (wanted if copied is not None else [])


def test_copies_that_cannot_be_asked_for_are_told(site: FakeSite) -> None:
    site.age, site.copies = 100, CondorError("no answer")
    seen = look(site)
    assert seen.snapshot.copied is None
    assert "the copies of the flock's ads cannot be asked for: no answer" in seen.notes


def test_a_pairs_sides_are_found_whatever_their_names_capitals(site: FakeSite) -> None:
    query = site.query

    def capitals(collector: str, kind: str, *rest: Any, **options: Any) -> list[dict[str, Any]]:
        ads = query(collector, kind, *rest, **options)
        return [
            {**ad, "Machine": "P220.Test", "Name": "slot1@P220.Test"} if ad.get("Machine") == "p220.test" else ad for ad in ads
        ]

    site.query = capitals  # type: ignore[method-assign]
    for known in ({}, {"p220": 4, "p221": 4}):
        seen = look(site, known=Known(known))
        (pair,) = [pair for pair in seen.snapshot.pairs if pair.name.lower() == "p220"]
        assert pair.name == "P220" and pair.regular and pair.flocking and pair.cores == 4


def test_cores_that_are_offered_for_backfill_as_well_are_counted_once() -> None:
    ad = {"Name": "slot1@p220", "PartitionableSlot": True, "Cpus": 3, "TotalSlotCpus": 4, "State": "Unclaimed"}
    ads = [ad, {**ad, "Name": "slot2@p220", "BackfillSlot": True}, {**ad, "Name": "slot3@p220", "BackfillSlot": "yes"}]
    found = [slots.Slot(SlotAd.parse(each), each) for each in ads]
    assert (slots.cores(found[:2]), slots.free(found[:2])) == (4, 3)
    assert (slots.cores(found), slots.free(found)) == (8, 6)


@pytest.mark.parametrize("value", [1e300, 2**62, -(2**62), float("inf"), float("nan")])
def test_what_a_container_says_of_its_jobs_is_bounded(site: FakeSite, value: float) -> None:
    site.nodes["p220"].foreign = [{"Cpus": 1, "JobStart": value, "MaxWallTimeMins": value, "AllowedJobDuration": value}]
    (job,) = look(site).snapshot.pairs[0].jobs
    assert 0 <= job.started <= MOST and 0 <= job.declared_end <= MOST


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ({}, 0),
        ({"AllowedExecuteDuration": 600}, 600),
        ({"MaxWallTimeMins": 5}, 300),
        ({"AllowedJobDuration": 900, "MaxWallTimeMins": 60}, 900),
        ({"MaxRuntime": "soon"}, 0),
    ],
)
def test_foreign_jobs_and_their_declared_ends(site: FakeSite, said: dict[str, Any], end: int) -> None:
    started = NOW - 100
    site.nodes["p220"].foreign = [{"Cpus": 2, "JobStart": started, **said}, {"Cpus": 1, "Activity": "Idle"}]
    pair = look(site).snapshot.pairs[0]
    # The claim that is between two jobs keeps the node busy and is no job.
    assert pair.jobs == (ForeignJob("slot1_1", 2, started, started + end if end else 0),)
    assert pair.flocking is not None and pair.flocking.busy == 2


def test_ads_from_before_a_reboot_are_no_jobs(site: FakeSite) -> None:
    node = site.nodes["p220"]
    node.foreign = [{"Cpus": 1, "JobStart": NOW - 900, "MyCurrentTime": NOW - 300}]
    assert len(look(site).snapshot.pairs[0].jobs) == 1  # Counted by the partitionable slot, though its own ad is old.
    slots_of = site._slots
    site._slots = lambda node, flocking: [
        {**ad, **({"NumDynamicSlots": 0} if "NumDynamicSlots" in ad else {})} for ad in slots_of(node, flocking)
    ]  # type: ignore[method-assign]
    pair = look(site).snapshot.pairs[0]
    assert pair.jobs == () and pair.flocking is not None and pair.flocking.busy == 0 and pair.flocking.state is State.DRAINED


def test_a_drained_slot_that_retires_is_no_job(site: FakeSite) -> None:
    site.nodes["p220"].drain_reason, site.nodes["p220"].local = "x", [1]
    assert look(site).snapshot.pairs[0].jobs == ()


def test_one_side_missing(site: FakeSite) -> None:
    site.nodes["p220"].flocking_ad = False
    site.nodes["p221"].regular_ad = False
    p220, p221 = look(site, known=Known({"p221": 4, "p222": 8})).snapshot.pairs[:2]
    assert p220.flocking is None and p220.regular is not None
    assert p221.regular is None and p221.flocking is not None and (p221.cores, p221.regular_heard) == (4, 0)
    p222 = look(site, known=Known({"p222": 8})).snapshot.pairs[2]
    assert (p222.name, p222.regular, p222.flocking, p222.cores) == ("p222", None, None, 8)


def test_ads_of_dynamic_slots_alone_prove_nothing(site: FakeSite) -> None:
    site.nodes["p221"].local = [1]
    ads = [ad for ad in site._slots(site.nodes["p221"], flocking=False) if ad.get("DynamicSlot")]
    site.nodes["p221"].regular_ad = False
    query = site.query
    site.query = lambda collector, kind, *rest, **options: (
        query(collector, kind, *rest, **options) + (ads if (collector, kind) == ("", "Slot") else [])
    )  # type: ignore[method-assign]
    p221 = look(site).snapshot.pairs[1]
    assert p221.regular is not None and p221.regular.busy == 1 and p221.regular_heard == 0


def test_plain_workers_are_not_ours(site: FakeSite) -> None:
    ads = site._slots(site.nodes["p221"], flocking=False)
    for ad in ads:
        del ad["FlockNode"]
    site.nodes["p221"].regular_ad = site.nodes["p221"].flocking_ad = False
    query = site.query
    site.query = lambda collector, kind, *rest, **options: (
        query(collector, kind, *rest, **options) + (ads if (collector, kind) == ("", "Slot") else [])
    )  # type: ignore[method-assign]
    assert [pair.name for pair in look(site).snapshot.pairs] == ["p220"]


def test_two_containers_of_one_name_are_unknown(site: FakeSite) -> None:
    ads = site._slots(site.nodes["p221"], flocking=True)
    for ad in ads:
        ad["FlockHost"] = "p220"
    site.nodes["p221"].flocking_ad = False
    query = site.query
    site.query = lambda collector, kind, *rest, **options: (
        query(collector, kind, *rest, **options) + (ads if (collector, kind) == (FLOCK, "Slot") else [])
    )  # type: ignore[method-assign]
    flocking = look(site).snapshot.pairs[0].flocking
    assert flocking is not None and flocking.state is State.UNKNOWN
    assert flocking.why == "several flocking startds say that they run beside p220: f220.test, f221.test"


def test_waiting_jobs_and_where_they_could_run(site: FakeSite) -> None:
    site.schedds = [site.schedd("submit.test", 7)]
    site.queue["submit.test"] = [IdleGroup(5, 2, "[a]", NOW - 50), IdleGroup(2, 8, "[b]")]
    site.machines = [frozenset({"p220.test", "plain.test"}), frozenset()]
    seen = look(site)
    assert seen.snapshot.access_points == (AccessPoint("submit.test", NOW - 5, 7),)
    assert seen.snapshot.idle == (
        IdleJobs(5, 2, frozenset({"p220"}), "submit.test", NOW - 50),
        IdleJobs(2, 8, frozenset(), "submit.test", 0),
    )
    assert seen.notes == () and "DynamicSlot =!= true" in REGULAR_SLOTS


def test_local_access_points(site: FakeSite) -> None:
    site.schedds = [site.schedd("a"), site.schedd("b", identity="remote@flock-in"), site.schedd("c", identity="")]
    names = [each.name for each in look(site, scope=Scope(foreign_domains=("flock-in",))).snapshot.access_points]
    assert names == ["a", "c"]
    # One that is named and not there was never heard: that freezes the engine.
    named = look(site, scope=Scope(access_points=("a", "z"))).snapshot.access_points
    assert named == (AccessPoint("a", NOW - 5, 0), AccessPoint("z", 0, 0))


def test_a_queue_that_cannot_be_read_is_not_an_empty_one(site: FakeSite) -> None:
    site.schedds = [site.schedd("submit.test", 9), site.schedd("idle.test", 0)]
    site.queue = {"submit.test": NoAnswer("no answer within 7 s"), "idle.test": NoAnswer("x")}
    seen = look(site)
    assert seen.snapshot.idle == (IdleJobs(9, 1, None, "submit.test", 0),)
    assert len(seen.notes) == 1 and seen.notes[0].startswith("the queue of submit.test cannot be read") and "7 s" in seen.notes[0]


def test_jobs_that_cannot_be_compared_count_everywhere(site: FakeSite) -> None:
    site.queue["submit.test"] = [IdleGroup(5, 2, "[a]")]
    site.machines = CondorError("gone")
    seen = look(site)
    assert seen.snapshot.idle == (IdleJobs(5, 2, None, "submit.test", 0),) and "gone" in seen.notes[0]


def test_without_bindings_it_says_so(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = QueuesByTools(7)
    monkeypatch.setattr(tools, "groups", lambda schedd, collector, before: [IdleGroup(3, 1)])
    seen = look(site, queues=tools)
    assert seen.snapshot.idle[0].nodes is None and "bindings are not there" in seen.notes[0]


def test_access_points_that_nobody_knows_are_no_demand_of_zero(site: FakeSite) -> None:
    query = site.query

    def fail(collector: str, kind: str, *rest: Any, **options: Any) -> list[dict[str, Any]]:
        if kind == "Schedd":
            raise CondorError("refused")
        return query(collector, kind, *rest, **options)

    site.query = fail  # type: ignore[method-assign]
    seen = look(site, scope=Scope(access_points=("a",)))
    assert seen.snapshot.access_points == (AccessPoint("a", 0, 0),) and "refused" in seen.notes[0]
    assert look(site).snapshot.access_points == ()


def test_a_collector_that_does_not_answer_ends_it(site: FakeSite) -> None:
    site.unanswered = NoAnswer("condor_status had no answer within 7 s and was ended")
    with pytest.raises(NoAnswer):
        look(site)
