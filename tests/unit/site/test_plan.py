"""The address plan: derived, explicit, stable, and free of clashes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.site.addresses import container_addresses
from ansible_collections.sheepfold.htcondor.plugins.module_utils.site.errors import DescriptionError
from ansible_collections.sheepfold.htcondor.plugins.module_utils.site.plan import check_host_addresses, make_plan
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

Flock = dict[str, Any]
Groups = dict[str, list[str]]


def test_a_node_has_address_mac_and_names(flock: Flock, groups: Groups) -> None:
    plan = make_plan(flock, "p220", groups)
    assert plan["nodes"]["p220"] == {
        "regular": "p220",
        "flock": "f220",
        "hostname": "f220.sips",
        "address": "10.27.2.220",
        "mac": "02:42:0a:1b:02:dc",
        "parent": "em1",
        "interface": "em1.2512",
    }
    assert plan["gateway"] == {"address": "10.27.2.1", "mac": "02:42:0a:1b:02:01", "wan_interface": "wan"}


def test_a_host_may_have_another_parent(flock: Flock, groups: Groups) -> None:
    assert make_plan(flock, "p220", groups, "eno1")["interface"] == "eno1.2512"
    assert make_plan(flock, "p221", groups)["interface"] == "em1.2512"


def test_the_offset_gives_the_talks_own_numbers(flock: Flock, groups: Groups) -> None:
    flock["address_offset"] = -200
    groups["flock_nodes"] = ["p205.sips"]
    assert make_plan(flock, "submit", groups)["nodes"]["p205.sips"]["address"] == "10.27.2.5"


def test_denied_holds_the_sites_own_public_prefixes_and_no_overlaps(flock: Flock, groups: Groups) -> None:
    flock["public_networks"] = ["203.0.113.0/25"]
    denied = [IPNetwork(net) for net in make_plan(flock, "submit", groups)["denied"]]
    assert IPNetwork("203.0.113.0/25") in denied
    assert IPNetwork("10.0.0.0/8") in denied
    assert not any(a != b and a in b for a in denied for b in denied)


CLASHES: list[tuple[dict[str, Any], dict[str, list[str]], str]] = [
    (
        {"addresses": {"p220": "10.27.2.221"}},
        {},
        "flock.addresses.p221 is '10.27.2.221': expected an address of its own",
    ),
    (
        {"addresses": {"p220": "10.27.2.1"}},
        {},
        "flock.addresses.p220 is '10.27.2.1': expected an address other than",
    ),
    ({"addresses": {"p220": "10.27.3.9"}}, {}, "flock.addresses.p220 is '10.27.3.9': expected an address for a host in"),
    ({"addresses": {"p220": "10.27.2.0"}}, {}, "flock.addresses.p220 is '10.27.2.0'"),
    ({"addresses": {"p220": "10.27.2.255"}}, {}, "flock.addresses.p220 is '10.27.2.255'"),
    ({"addresses": {"p999": "10.27.2.9"}}, {}, "flock.addresses.p999 is '10.27.2.9': expected an entry for a host of group"),
    ({}, {"flock_nodes": ["p220", "p1205"]}, "flock.addresses.p1205 is not set: expected an explicit address in 10.27.2.0/24"),
    (
        {},
        {"flock_nodes": ["pine"]},
        "flock.addresses.pine is not set: expected an address in 10.27.2.0/24",
    ),
    (
        {},
        {"flock_nodes": ["w220"]},
        "flock.regular_prefix is 'p': expected the prefix of every host in group flock_nodes",
    ),
    ({}, {"flock_nodes": ["p220", "submit"]}, "group flock_nodes is 'submit': expected a compute node that is not in group"),
    ({}, {"flock_gateway": []}, "group flock_gateway is []: expected exactly one host"),
    ({}, {"flock_central_manager": ["other"]}, "flock.central_manager.host is 'submit': expected a host of group"),
    (
        {"addresses": {"p220.a": "10.27.2.5", "p220.b": "10.27.2.6"}},
        {"flock_nodes": ["p220.a", "p220.b"]},
        "group flock_nodes is 'p220.b': expected a short host name of its own",
    ),
]


@pytest.mark.parametrize(("changes", "members", "sentence"), CLASHES)
def test_a_clash_is_one_sentence(
    flock: Flock, groups: Groups, changes: dict[str, Any], members: dict[str, list[str]], sentence: str
) -> None:
    with pytest.raises(DescriptionError) as error:
        make_plan({**flock, **changes}, "submit", {**groups, **members})
    assert sentence in str(error.value)


def test_no_host_has_an_address_in_the_flocking_subnet(flock: Flock, groups: Groups) -> None:
    plan = make_plan(flock, "submit", groups)
    check_host_addresses(plan, {"submit": ["10.27.1.1", "10.27.2.1"], "p220": ["10.27.1.220"]}, groups)
    with pytest.raises(DescriptionError, match=r"and p220 has address 10\.27\.2\.220"):
        check_host_addresses(plan, {"p220": ["10.27.2.220"]}, groups)
    with pytest.raises(DescriptionError, match=r"and p220 has address 10\.27\.2\.1"):
        check_host_addresses(plan, {"p220": ["10.27.2.1"]}, groups)


@given(st.sets(st.integers(2, 65533), min_size=1, max_size=60), st.data())
def test_addresses_stay_when_nodes_come_and_go(numbers: set[int], data: st.DataObject) -> None:
    subnet, gateway = IPNetwork("10.27.0.0/16"), IPAddress("10.27.0.1")
    nodes = [f"p{number}" for number in numbers]
    some = data.draw(st.lists(st.sampled_from(nodes), unique=True))
    all_of_them = container_addresses(nodes, subnet, gateway, {}, 0)
    assert container_addresses(some, subnet, gateway, {}, 0) == {node: all_of_them[node] for node in some}
    assert len(set(all_of_them.values())) == len(nodes)
