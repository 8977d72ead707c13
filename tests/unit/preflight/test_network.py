"""What would keep a host from having the VLAN or from being the gateway: one sentence each."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.modules import network_host_info
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight import gateway, gateway_warnings, vlan
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight.seen import Seen
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight.tell import tell
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.role_options import specification

from tests.unit.conftest import ROOT, Run

GATEWAY = {"wan_interface": "wan", "address": "10.27.2.1"}
PLAN: dict[str, Any] = {
    "parent": "em1",
    "interface": "em1.2512",
    "mtu": 1500,
    "gateway": GATEWAY,
    "denied": ["10.0.0.0/8", "127.0.0.0/8", "198.51.100.0/24"],
    "egress_allow": [],
    "dns_servers": ["203.0.113.53"],
    "central_manager": {"flock_address": "10.27.2.1", "port": 9618},
    "nodes": {"p220": {}, "p221": {}},
}
MANY = {"nodes": {f"p{number}": {} for number in range(65)}}
BRIDGED = {"em1": {"mtu": 1500, "master": "", "addresses": []}, "wan": {"mtu": 1500, "master": "br0", "addresses": []}}
MODULES = ("8021q", "nf_tables", "nf_conntrack", "nfnetlink_log", "cls_flower", "sch_ingress", "act_gact", "nft_flow_offload")
FACTS: dict[str, Any] = {
    "interfaces": {name: {"mtu": 1500, "master": "", "addresses": []} for name in ("em1", "wan")},
    "default_interfaces": ["wan"],
    "modules": dict.fromkeys(MODULES, True),
    "files": {"/etc/sheepfold/vlan/vlan.json": False},
    "rp_filter": 0,
    "conntrack_max": 262144,
    "port_range": [32768, 60999],
    "rule_priorities": [0, 32766, 32767],  # the kernel's, which are out of every range
    "open_rules": [],
    "routes_in_table": 0,
}
FACTS |= {"gc_thresh3": 1024, "ipsec_policies": 0, "helpers": []}
CHECKS = {"vlan": vlan.problems, "gateway": gateway.problems}


def said(role: str, plan: dict[str, Any] | None = None, facts: dict[str, Any] | None = None, **options: Any) -> list[str]:
    defaults = {name[len(role) + 1 :]: spec["default"] for name, spec in specification(role).items() if "default" in spec}
    seen = Seen("submit", {**defaults, **options}, {**PLAN, **(plan or {})}, {**FACTS, **(facts or {})})
    return list(CHECKS[role](seen))


@pytest.mark.parametrize("role", CHECKS)
def test_all_is_well(role: str) -> None:
    assert said(role) == []
    assert said(role, {"parent": "em9"}, {"modules": {}}, state="absent") == [], "what is to go needs nothing"


def on_host(**aliases: str) -> dict[str, Any]:
    """A host with these interfaces besides, which the role was applied to."""
    links = {
        name.replace("_", "."): {"mtu": 1500, "master": "", "addresses": [], "alias": alias} for name, alias in aliases.items()
    }
    return {"interfaces": {**FACTS["interfaces"], **links}, "files": {"/etc/sheepfold/vlan/vlan.json": True}}


@pytest.mark.parametrize(
    ("facts", "refused"),
    [
        (on_host(em1_2512=vlan.ALIAS), False),
        (on_host(em1_2512=""), False),  # that of an earlier version
        (on_host(em1_2512="", em1_7=vlan.ALIAS), True),
        (on_host(em1_2512="backup network"), True),
    ],
    ids=["ours", "of an earlier version", "ours is another one", "somebody's"],
)
@pytest.mark.parametrize("manager", ["unit", "networkmanager"])
def test_a_vlan_that_is_there_has_to_be_ours(facts: dict[str, Any], refused: bool, manager: str) -> None:
    told = said("vlan", {"interface": "em1.2512"}, facts, manager=manager)
    assert bool(told) is refused
    assert all(line.startswith("flock.vlan_id makes em1.2512, which this host already has") for line in told)


def test_both_know_the_interface_by_the_same_alias() -> None:
    assert f'ALIAS = "{vlan.ALIAS}"' in (ROOT / "roles/vlan/files/flock_vlan.py").read_text()


def without(module: str) -> dict[str, Any]:
    return {"modules": {**FACTS["modules"], module: False}}


@pytest.mark.parametrize(
    ("role", "changes", "sentence"),
    [
        (
            "vlan",
            {"plan": {"parent": "em9"}},
            "flock.parent (or flock_parent) is em9: expected an interface of this host (em1",
        ),
        ("vlan", {"plan": {"mtu": 9000}}, "flock.mtu is 9000: expected at most 1500, the MTU of em1, which is the VLAN's parent"),
        ("vlan", {"plan": {"interface": "wan"}}, "flock.vlan_id makes wan, which this host already has: expected it to be"),
        ("vlan", {"facts": without("8021q")}, "the kernel has no VLANs: expected module 8021q"),
        ("vlan", {"facts": {"rp_filter": 2}}, "sysctl net.ipv4.conf.all.rp_filter is 2: expected 0 or 1"),
        (
            "gateway",
            {"plan": {"gateway": {**GATEWAY, "wan_interface": "wan9"}}},
            "flock.wan_interface is wan9: expected an interface of",
        ),
        ("gateway", {"plan": {"interface": "wan"}}, "flock.wan_interface is wan: expected another interface than the flocking"),
        ("gateway", {"facts": without("nf_tables")}, "the kernel has no module nf_tables: expected it for the gateway's rules"),
        ("gateway", {"facts": without("act_gact")}, "the kernel has no module act_gact: expected it for the gateway's rules, or"),
        ("gateway", {"facts": without("nft_flow_offload"), "flowtable": True}, "the kernel has no module nft_flow_offload"),
        ("gateway", {"facts": {"rule_priorities": [2516]}}, "gateway_rule_priority is 2510: expected 2509 to 2516 to be free"),
        ("gateway", {"facts": {"open_rules": [1000, 2600]}}, "gateway_rule_priority is 2510: expected less than 1000"),
        ("gateway", {"facts": {"routes_in_table": 1}}, "gateway_route_table is 2512: expected a table without routes"),
        ("gateway", {"connections": 0}, "gateway_connections is 0: expected 1 or more"),
        ("gateway", {"total_connections": 40000}, "gateway_total_connections is 40000: expected 1 to 32256"),
        (
            "gateway",
            {"plan": MANY, "facts": {"conntrack_max": 62000}},
            "gateway_total_connections is 32000: 65 containers may have 32000 connections open, expected at most half of net.",
        ),
        ("gateway", {"facts": {"interfaces": BRIDGED}}, "flock.wan_interface is wan, which is a port of br0: expected"),
        ("gateway", {"facts": {"default_interfaces": ["wan2"]}}, "flock.wan_interface is wan: expected the interface of the def"),
        ("gateway", {"megabytes_per_second": 10001}, "gateway_megabytes_per_second is 10001: expected 1 to 10000"),
        ("gateway", {"log_group": 65536}, "gateway_log_group is 65536: expected 0 to 65535"),
        ("gateway", {"route_table": 255}, "gateway_route_table is 255: expected 256 or more"),
        ("gateway", {"rule_priority": -1}, "gateway_rule_priority is -1: expected 2 to 32759"),
        ("gateway", {"health_command": "check 'it"}, 'gateway_health_command is "check \'it": expected a command with its arg'),
        ("gateway", {"rule_priority": 32760}, "gateway_rule_priority is 32760: expected 2 to 32759"),
    ],
)
def test_one_sentence(role: str, changes: dict[str, Any], sentence: str) -> None:
    [found] = said(role, **changes)
    assert found.startswith(sentence)


def test_what_is_not_used_is_not_asked_for() -> None:
    assert said("gateway", facts=without("act_gact"), tc=False) == []


def warned(plan: dict[str, Any] | None = None, facts: dict[str, Any] | None = None, **options: Any) -> list[str]:
    defaults = {name[len("gateway_") :]: spec.get("default") for name, spec in specification("gateway").items()}
    seen = Seen("submit", {**defaults, "wan_filter": True, **options}, {**PLAN, **(plan or {})}, {**FACTS, **(facts or {})})
    return list(gateway_warnings.warnings(seen))


def links(**addresses: str) -> dict[str, Any]:
    return {"interfaces": {name: {**FACTS["interfaces"]["em1"], "addresses": [address]} for name, address in addresses.items()}}


NEIGHBOURS = "flock.public_networks does not have 203.0.0.0/16, the network of wan on submit: containers reach its hosts"


@pytest.mark.parametrize(
    ("state", "sentences"),
    [
        ({}, []),
        ({"facts": links(wan="198.51.100.7/24", em1="10.27.1.1/24", lo="127.0.0.1/8")}, []),
        ({"facts": links(wan="203.0.113.7/32")}, []),
        (
            {"facts": links(wan="203.0.0.7/16")},
            [NEIGHBOURS, "sysctl net.ipv4.neigh.default.gc_thresh3 of submit is 1024: contai"],
        ),
        ({"facts": links(wan="203.0.0.7/16"), "plan": {"denied": ["203.0.0.0/16"], "dns_servers": []}}, []),
        ({"facts": {**links(wan="203.0.0.7/16"), "gc_thresh3": 6400}}, [NEIGHBOURS]),
        ({"facts": links(wan2="203.0.113.7/24")}, ["wan2 of submit has the public address 203.0.113.7/24 and no default route"]),
        ({"facts": {**links(wan2="203.0.113.7/24"), "default_interfaces": ["wan", "wan2"]}}, []),
        ({"facts": links(wan2="203.0.113.7/24"), "wan_filter": False}, []),
        ({"facts": {"ipsec_policies": 3}}, ["submit has 3 IPsec policies, whose tunnels have no route"]),
        ({"facts": {"helpers": ["ftp"]}}, ["submit has helpers of connection tracking (ftp)"]),
        ({"facts": {"ipsec_policies": 3}, "state": "absent"}, []),
    ],
)
def test_a_warning_is_one_sentence_and_no_problem(state: dict[str, Any], sentences: list[str]) -> None:
    found = warned(**state)
    assert [text[: len(start)] for text, start in zip(found, sentences, strict=True)] == sentences
    if "default_interfaces" not in state.get("facts", {}):
        state.setdefault("facts", {}).setdefault("interfaces", FACTS["interfaces"])
        state["facts"]["interfaces"] = {**FACTS["interfaces"], **state["facts"]["interfaces"]}
        assert said("gateway", **state) == []


SECRET = "10.27.1.5, which is in a network that containers may not reach: expected flock.egress_allow to have "


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ({"dns_servers": ["10.27.1.5"]}, f"flock.dns_servers has {SECRET}{{address: 10.27.1.5, protocol: udp, port: 53}}"),
        ({"dns_servers": ["127.0.0.53"]}, "flock.dns_servers has 127.0.0.53, which is in a network that containers may not"),
        ({"dns_servers": ["198.51.100.7"]}, "flock.dns_servers has 198.51.100.7, which is in a network that containers may not"),
        ({"dns_servers": ["10.27.2.1"]}, "flock.dns_servers has 10.27.2.1, the gateway, where containers reach HTCondor"),
        (
            {"central_manager": {"flock_address": "10.27.1.5", "port": 9618}},
            f"flock.central_manager.flock_address is {SECRET}{{address: 10.27.1.5, protocol: tcp, port: 9618}}",
        ),
    ],
)
def test_what_containers_are_to_use_they_must_reach(plan: dict[str, Any], sentence: str) -> None:
    [found] = said("gateway", plan)
    assert found.startswith(sentence)


def test_an_exception_lets_them_reach_it() -> None:
    allowed = [{"address": "10.27.1.0/29", "protocol": protocol, "port": port} for protocol, port in (("udp", 53), ("tcp", 9618))]
    manager = {"flock_address": "10.27.1.5", "port": 9618}
    assert said("gateway", {"dns_servers": ["10.27.1.5"], "central_manager": manager, "egress_allow": allowed}) == []


@pytest.mark.parametrize("source", ["cm.example.org", "2001:db8::1", "203.0.113.7/24", "٢٠٣.0.113.7"])
def test_the_rules_hold_addresses_and_no_names(source: str) -> None:
    [found] = said("gateway", wan_sources=["203.0.113.7", "198.51.100.0/24", source])
    assert found.startswith(f"gateway_wan_sources has {source!r}: expected an IPv4 address or network")


def test_few_nodes_need_a_small_table_and_a_host_without_a_table_is_not_asked() -> None:
    assert said("gateway", facts={"conntrack_max": 2048}) == []
    assert said("gateway", MANY, {"conntrack_max": 0}) == []
    assert said("gateway", facts={"default_interfaces": []}) == []


def test_each_sentence_is_told_once_with_the_hosts_that_it_is_about() -> None:
    nodes = {f"p{i}": ["no VLANs", "everywhere"] for i in range(5)}
    assert tell({"submit": ["everywhere", "HTCondor of submit is old"], **nodes}) == [
        "everywhere",
        "HTCondor of submit is old",
        "p0, p1, p2 and 2 more: no VLANs",
    ]
    assert tell({"p1": [], "p10": ["p10 is small"], "p2": ["no VLANs"]}) == ["p10 is small", "p2: no VLANs"]
    assert tell({"p1": ["p10 is small"], "p2": []}) == ["p1: p10 is small"]


def test_the_module_reads_this_host(run_module: Run) -> None:
    found = run_module(network_host_info.main, modules=["no_such_module"], files=["/proc/self", "/nowhere"], route_table=253)
    assert found["interfaces"]["lo"] == {
        "mtu": 65536,
        "master": "",
        "alias": "",
        "ports": None,
        "addresses": ["127.0.0.1/8"],
    }
    assert found["modules"] == {"no_such_module": False}
    assert found["files"] == {"/proc/self": True, "/nowhere": False}
    assert {0, 32766, 32767} <= set(found["rule_priorities"])
    assert (found["changed"], found["routes_in_table"]) == (False, 0)


def test_rules_that_lead_every_packet_past_the_flocks() -> None:
    every = {"src": "all", "table": "main"}
    rules = [
        {"priority": 0, "src": "all", "table": "local"},
        {**every, "priority": 1000},
        {**every, "priority": 1001, "suppress_prefixlen": 0},
        {**every, "priority": 1002, "fwmark": "0x1"},
        {**every, "priority": 1003, "src": "10.27.1.0", "srclen": 24},
        {"priority": 220, "src": "all", "table": "220"},
        {**every, "priority": 32766},
    ]
    assert network_host_info.open_rules(rules) == [1000, 1001]
