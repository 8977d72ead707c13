"""The filters: what Ansible calls, with Ansible's errors."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sheepfold.htcondor.plugins.filter.plan import FilterModule

FILTERS = FilterModule().filters()


def test_the_plan_is_made_and_not_shared(flock: dict[str, Any], groups: dict[str, list[str]]) -> None:
    first = FILTERS["flock_plan"](flock, "p220", groups)
    first["nodes"].clear()
    assert FILTERS["flock_plan"](flock, "p220", groups)["nodes"]["p220"]["address"] == "10.27.2.220"


def test_a_bad_description_is_ansibles_error(flock: dict[str, Any], groups: dict[str, list[str]]) -> None:
    flock["vlan_id"] = 0
    with pytest.raises(AnsibleFilterError, match=r"flock\.vlan_id is 0: expected a whole number from 1 to 4094"):
        FILTERS["flock_plan"](flock, "p220", groups)


@pytest.mark.parametrize(
    ("changes", "addresses", "sentence"),
    [
        ({}, ["10.27.1.220"], ""),
        (
            {},
            ["10.27.2.9"],
            "flock.subnet is '10.27.2.0/24': expected a network without hosts in it, and p220 has",
        ),
        ({"dns_servers": []}, [], "flock.dns_servers is []: expected at least one address of a DNS server"),
    ],
)
def test_a_problem_is_one_sentence(
    flock: dict[str, Any], groups: dict[str, list[str]], changes: dict[str, Any], addresses: list[str], sentence: str
) -> None:
    problem = FILTERS["flock_problem"]({**flock, **changes}, "p220", groups, "", addresses)
    assert problem.startswith(sentence) if sentence else problem == ""


def test_no_description_is_a_problem_too(groups: dict[str, list[str]]) -> None:
    assert FILTERS["flock_problem"](None, "p220", groups).startswith("flock is not set: expected a dict with the keys")
