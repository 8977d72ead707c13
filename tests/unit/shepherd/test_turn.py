"""Whose turn it is among several shepherds: never two, and nobody acts who does not know."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide.turn import (
    Refused,
    Said,
    Turn,
    dump,
    judge,
    load,
    take_over,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import Override, OverrideKind
from hypothesis import given
from hypothesis import strategies as st

NOW, GAP = 1_000_000, 900
HOLD = Override(OverrideKind.HOLD, "alice", 'new "disk"', 5, False, frozenset({"p220"}))
STANDING = Said("b", False, 0, ())


def next_turn(turn: Turn | None, others: dict[str, Said | None], *, begins: bool = True, now: int = NOW) -> tuple[Turn, str]:
    return judge(turn, "a", others, now, GAP, begins=begins)


def test_the_first_one_begins_when_all_others_have_said_that_they_stand_by() -> None:
    turn, why = next_turn(None, {"b": None})
    assert (turn.acts, why) == (False, "does not act before b has said that it stands by")
    turn, why = next_turn(None, {"b": STANDING})
    assert (turn, bool(why)) == (Turn(True, 1), True)
    assert next_turn(turn, {"b": STANDING}) == (Turn(True, 1, NOW), "")
    assert not next_turn(None, {"b": STANDING}, begins=False)[0].acts
    assert not next_turn(None, {"b": Said("b", False, 3, ())})[0].acts


@pytest.mark.parametrize("silence", [0, GAP])
def test_one_that_acts_goes_on_while_another_is_silent(silence: int) -> None:
    assert next_turn(Turn(True, 2, NOW - silence), {"b": None}) == (Turn(True, 2, NOW), "")


@pytest.mark.parametrize("acted", [0, NOW - GAP - 1, NOW + 1])
def test_after_a_pause_it_hears_the_others_first(acted: int) -> None:
    turn, why = next_turn(Turn(True, 2, acted), {"b": None})
    assert (turn, why) == (Turn(True, 2, acted), "does not act before b has said that it stands by, after a pause of its own")
    assert next_turn(Turn(True, 2, acted), {"b": Said("b", False, 1, ())}) == (Turn(True, 2, NOW), "")


@pytest.mark.parametrize("other", [Said("b", True, 3, ()), Said("b", False, 3, ()), Said("b", True, 2, ())])
def test_it_ends_when_another_one_has_taken_over(other: Said) -> None:
    turn, why = next_turn(Turn(True, 2, NOW), {"b": other})
    assert (turn, why) == (Turn(False, 2, NOW), "stands by from now on: b has taken over")


def test_it_does_nothing_beside_one_that_has_to_end() -> None:
    assert next_turn(Turn(True, 2, NOW), {"b": Said("b", True, 1, ())}) == (Turn(True, 2, NOW), "does nothing while b acts too")


@given(st.data())
def test_two_never_act_in_the_same_cycle(data: st.DataObject) -> None:
    """Cycles of two begin and end in any order, and each may be told to take over by a person who is wrong."""
    turns: dict[str, Turn | None] = {name: data.draw(st.sampled_from([None, Turn(), Turn(True, 1, 0)])) for name in "ab"}
    said: dict[str, Said | None] = {"a": None, "b": None}
    acting: set[str] = set()
    began: dict[str, Turn | None] = {}
    reach = data.draw(st.booleans())
    for name in data.draw(st.lists(st.sampled_from("ab"), max_size=24)):
        other = "b" if name == "a" else "a"
        step = data.draw(st.sampled_from(["cycle", "cycle", "cycle", "over"]))
        if step == "over" and name not in began and (turns[name] is None or not (turns[name] or Turn()).acts):
            try:
                turns[name] = take_over(turns[name] or Turn(), name, {other: said[other]}, None, dead=not reach)[0]
            except Refused:
                continue
        elif name not in began:
            # What was said stands until the next cycle, which begins when this one has ended.
            began[name] = turns[name]
            mine = turns[name] or Turn()
            said[name] = Said(name, mine.acts, mine.term, ())
        elif name in acting:
            acting.discard(name)
            del began[name]
        else:
            before = began[name]
            turn, why = judge(before, name, {other: said[other]}, NOW, GAP, begins=name == "a")
            if turns[name] == before:
                turns[name] = turn
            if why:
                del began[name]
            else:
                acting.add(name)
        assert len(acting) < 2


def test_a_take_over_is_refused_while_another_acts_or_that_is_unknown() -> None:
    for dead in (False, True):
        with pytest.raises(Refused, match=r"^b acts: expected one that stands by, run there: shepherd stand-by"):
            take_over(Turn(), "a", {"b": Said("b", True, 1, ())}, None, dead=dead)
    with pytest.raises(Refused, match=r"^b does not say whether it acts: expected one that stands by, or --other-is-dead"):
        take_over(Turn(), "a", {"b": None}, None, dead=False)
    with pytest.raises(Refused, match=r"^a acts already"):
        take_over(Turn(True, 1), "a", {"b": STANDING}, None, dead=False)


def test_it_takes_the_newest_overrides_and_a_higher_term() -> None:
    last = Said("b", False, 4, (HOLD,))
    assert take_over(Turn(False, 2), "a", {"b": last}, Said("b", True, 3, ()), dead=False) == (Turn(True, 5), last)
    assert take_over(Turn(False, 2), "a", {"b": None}, replace(last, acts=True), dead=True) == (
        Turn(True, 5),
        replace(last, acts=True),
    )
    assert take_over(Turn(False, 6), "a", {"b": last}, None, dead=False) == (Turn(True, 7), None)


def test_what_is_said_is_read_back() -> None:
    off = Override(OverrideKind.OFF, "bob", "power ✂ \\", evict=True)
    for said in (Said("a", True, 3, (HOLD, off)), Said("a", False, 0, ()), Said("a", False, 0, None)):
        assert load(json.loads(json.dumps(dump(said)))) == said
    many = tuple(replace(HOLD, nodes=frozenset({f"p{number}"}), reason="x" * 2000) for number in range(400))
    assert load(dump(Said("a", True, 1, many))).overrides is None


@pytest.mark.parametrize("wrong", [{"Acts": "true"}, {"Acts": None}, {"Term": True}, {"Term": -1}, {"Term": 1.5}, {"Name": 5}])
def test_what_no_shepherd_says_is_nothing(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no shepherd says this"):
        load({**dump(Said("a", True, 1, ())), **wrong})


@pytest.mark.parametrize(
    "text",
    ["!", "", "bnVsbA==", "W10", "W3t9XQ==", "W" * 2_000_000, 7, None]
    + [
        dump(Said("a", True, 1, (each,)))["Overrides"]
        for each in (replace(HOLD, nodes=frozenset({"../x"})), replace(HOLD, expires=-1), replace(HOLD, nodes=frozenset({""})))
    ],
)
def test_overrides_that_cannot_be_read_are_not_known(text: Any) -> None:
    assert load({**dump(Said("a", True, 1, ())), "Overrides": text}) == Said("a", True, 1, None)
