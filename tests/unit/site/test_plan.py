"""The address plan: derived, explicit, stable, and free of clashes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.site.addresses import container_addresses
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.site.errors import DescriptionError
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.site.host_view import host_problems, seen_from
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.site.plan import make_plan, make_site, missing_groups
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


def test_exceptions_do_not_overlap(flock: Flock, groups: Groups) -> None:
    wide, narrow = {"address": "192.168.1.0/24", "protocol": "tcp", "port": 80}, {"address": "192.168.1.7/32", "protocol": "tcp"}
    other = {**narrow, "port": 443}
    for exceptions in ([wide, {**narrow, "port": 80}, other], [other, {**narrow, "port": 80}, wide, wide]):
        flock["egress_allow"] = exceptions
        plan = make_plan(flock, "submit", groups)
        assert sorted(plan["egress_allow"], key=str) == sorted([wide, other], key=str)


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
    site = make_site(flock, groups)
    assert host_problems(site, "submit", True, "", ["10.27.1.1", "10.27.2.1"]) == []
    assert host_problems(site, "p220", False, "", ["10.27.1.220"]) == []
    told = host_problems(site, "p220", False, "", ["10.27.2.220", "10.27.2.1"])
    assert [sentence.rpartition("and ")[2] for sentence in told] == ["p220 has address 10.27.2.220", "p220 has address 10.27.2.1"]
    [sentence] = host_problems(site, "p220", False, "em 1", [])
    assert sentence.startswith("flock_parent of p220 is 'em 1': expected the name of a network interface")


def test_a_host_may_give_its_container_more_than_the_site(flock: Flock, groups: Groups) -> None:
    site = make_site(flock, groups)
    own = {"cpus": "8", "memory_mb": 16384}
    assert seen_from(site, "p220", "", own)["container"] == {**site["container"], "cpus": 8, "memory_mb": 16384}
    assert seen_from(site, "p221")["container"] == site["container"]
    assert host_problems(site, "p220", False, "", [], container=own) == []
    wrong = {"cpus": 0, "slots": 2, "memory_gb": 8, "runtime": "a b"}
    assert [sentence.split(": ")[0] for sentence in host_problems(site, "p220", False, "", [], container=wrong)] == [
        "flock_container of p220.slots is 2",
        "flock_container of p220.memory_gb is 8",
        "flock_container of p220.cpus is 0",
        "flock_container of p220.runtime is 'a b'",
    ]


def test_all_mistakes_are_told_at_once(flock: Flock, groups: Groups) -> None:
    wrong = {
        "vlan_id": 0,
        "dns_servers": ["dns"],
        "colour": 1,
        "container": {"cpus": None, "slots": 17, "wool": 1},
        "domain": None,
    }
    wrong |= {"egress_allow": [{"address": "10.1.1.1/99", "protocol": "icmp", "port": 0}, {}], "addresses": {"p220": None}}
    wrong |= {"flock_in": [{"name": "a b", "access_points": ["x"]}], "flock_out": [{"name": "r", "token_file": "t"}]}
    with pytest.raises(DescriptionError) as error:
        make_plan({**flock, **wrong}, "submit", groups)
    assert sorted(each.split(" is ")[0] for each in error.value.problems) == sorted(
        [f"flock.{name}" for name in ("vlan_id", "dns_servers[0]", "colour", "domain", "addresses.p220")]
        + [f"flock.container.{name}" for name in ("cpus", "slots", "wool")]
        + [f"flock.egress_allow[0].{name}" for name in ("address", "protocol", "port")]
        + [f"flock.egress_allow[1].{name}" for name in ("address", "protocol", "port")]
        + ["flock.flock_in[0].name", "flock.flock_in[0].access_points[0]"]
        + ["flock.flock_out[0].central_manager", "flock.flock_out[0].token_file"]
    )
    members = {
        "flock_gateway": ["submit", "p220"],
        "flock_central_manager": ["submit", "other"],
        "flock_nodes": ["p220", "p221", "q7"],
    }
    with pytest.raises(DescriptionError) as error:
        make_plan({**flock, "addresses": {"p220": "10.27.2.1", "p9": "10.27.2.9"}}, "submit", {**groups, **members})
    assert [each.split(" is ")[0] for each in error.value.problems] == [
        "group flock_gateway",
        "group flock_nodes",
        "flock.addresses.p9",
        "flock.addresses.p220",
    ]


def test_a_site_may_have_several_central_managers(flock: Flock, groups: Groups) -> None:
    plan = make_plan(flock, "cm2", {**groups, "flock_central_manager": ["cm2", "submit"]})
    assert plan["central_manager"]["host"] == "submit"


def test_a_group_that_nobody_is_in_is_one_sentence(groups: Groups) -> None:
    assert missing_groups(groups) == []
    told = missing_groups({**groups, "flock_nodes": [], "flock_access_point": []})
    assert [sentence.split(":")[0] for sentence in told] == ["group flock_nodes is []", "group flock_access_point is []"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"parent": "em1\n"}, "flock.parent is"),
        ({"wan_interface": "wan\n"}, "flock.wan_interface is"),
        ({"domain": "sips\n"}, "flock.domain is"),
        ({"gateway_mac": "02:42:0a:1b:02:01\n"}, "flock.gateway_mac is"),
        ({"flock_out": [{"name": "r\n", "central_manager": "r.example", "token_file": "/t"}]}, "flock.flock_out[0].name is"),
        ({"flock_out": [{"name": "r", "central_manager": "r.example", "token_file": "/t\n"}]}, "flock.flock_out[0].token_file"),
        ({"vlan_id": "25_12"}, "flock.vlan_id is '25_12'"),
        ({"vlan_id": "٢٥١٢"}, "flock.vlan_id is '٢٥١٢'"),
        ({"parent": "enp65s0f0np0"}, "flock.parent is 'enp65s0f0np0': expected the name of a network interface, at most 10"),
    ],
)
def test_what_only_looks_right_is_refused(flock: Flock, groups: Groups, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DescriptionError) as error:
        make_plan({**flock, **changes}, "submit", groups)
    [told] = error.value.problems
    assert told.startswith(sentence)


def test_the_subinterface_may_have_a_name_of_its_own(flock: Flock, groups: Groups) -> None:
    plan = make_plan({**flock, "parent": "enp65s0f0np0", "interface": "vlan2512"}, "p220", groups, "enp193s0f1np1")
    assert (plan["parent"], plan["interface"]) == ("enp193s0f1np1", "vlan2512")
    assert plan["nodes"]["p220"]["interface"] == "vlan2512"


def test_names_that_inventories_have(flock: Flock, groups: Groups) -> None:
    flock["central_manager"]["host"] = "cm_1"
    members = {"flock_central_manager": ["cm_1"], "flock_nodes": ["node-220"]}
    plan = make_plan({**flock, "regular_prefix": "node-", "flock_prefix": "flock-"}, "cm_1", {**groups, **members})
    assert plan["nodes"]["node-220"]["flock"] == "flock-220"


@given(st.sets(st.integers(2, 65533), min_size=1, max_size=60), st.data())
def test_addresses_stay_when_nodes_come_and_go(numbers: set[int], data: st.DataObject) -> None:
    subnet, gateway = IPNetwork("10.27.0.0/16"), IPAddress("10.27.0.1")
    nodes = [f"p{number}" for number in numbers]
    some = data.draw(st.lists(st.sampled_from(nodes), unique=True))
    all_of_them = container_addresses(nodes, subnet, gateway, {}, 0)
    assert container_addresses(some, subnet, gateway, {}, 0) == {node: all_of_them[node] for node in some}
    assert len(set(all_of_them.values())) == len(nodes)
