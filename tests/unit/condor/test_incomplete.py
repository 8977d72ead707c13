"""Which nodes' masters are worth asking for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.ads import SlotAd
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.unpaired import incomplete, masters_of


def slot(machine: str, **values: Any) -> SlotAd:
    return SlotAd.parse({"Name": f"slot1@{machine}", "Machine": machine, **values})


P220 = slot("p220.test", FlockNode=False)
F220 = slot("f220.test", FlockNode=True, FlockHost="p220")


@pytest.mark.parametrize(
    ("slots", "known", "missing"),
    [
        ([P220, F220], [], set()),
        ([P220, F220], ["p220"], set()),
        ([P220], [], {"p220"}),
        ([F220], [], {"p220"}),
        ([], ["p220"], {"p220"}),
        ([P220, F220], ["p220", "p221"], {"p221"}),
        # A regular startd that has no other beside it, and one that is known to have had one.
        ([slot("x.test")], [], set()),
        ([slot("x.test")], ["x"], {"x"}),
        # Of two hosts of one name the full names are known.
        ([P220, slot("p220.other"), F220], ["p220.test"], {"p220.test"}),
        # Names of hosts are the same in capitals.
        ([slot("P220.Test", FlockNode=False), F220], ["p220"], set()),
        ([P220, slot("f220.test", FlockNode=True, FlockHost="P220")], ["P220"], set()),
        # A stray flocking startd.
        ([slot("f1.test", FlockNode=True)], [], set()),
    ],
)
def test_incomplete(slots: list[SlotAd], known: list[str], missing: set[str]) -> None:
    assert incomplete(slots, known) == missing


def test_the_constraint_names_both_sides() -> None:
    assert masters_of({"b", 'a"'}) == (
        '(member(FlockHost, {"a\\"", "b"}) || member(split(Machine ?: "", ".")[0], {"a\\"", "b"})'
        ' || member(Machine, {"a\\"", "b"}))'
    )
    assert masters_of([f"p{number}" for number in range(501)]) == ""
