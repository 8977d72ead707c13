"""The site's description: what is accepted, and the sentence for everything that is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.site.description import describe
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.site.errors import DescriptionError


def test_defaults_are_filled_in(flock: dict[str, Any]) -> None:
    description = describe(flock)
    assert description.mtu == 1500
    assert description.container.slots == 1
    assert str(description.central_manager.flock_address) == "10.27.2.1"


BAD = [
    ("vlan_id", 0, "flock.vlan_id is 0: expected a whole number from 1 to 4094"),
    ("vlan_id", 4095, "flock.vlan_id is 4095: expected a whole number from 1 to 4094"),
    ("vlan_id", "blue", "flock.vlan_id is 'blue': expected a whole number from 1 to 4094"),
    ("vlan_id", True, "flock.vlan_id is True: expected a whole number from 1 to 4094"),
    ("parent", None, "flock.parent is not set: expected a value, since this key is required"),
    ("parent", "an_interface", "flock.parent is 'an_interface': expected the name of a network interface"),
    ("wan_interface", "", "flock.wan_interface is ''"),
    ("subnet", "10.27.2.0", "flock.subnet is '10.27.2.0': expected an IPv4 network"),
    ("subnet", "10.27.2.1/24", "did you mean 10.27.2.0/24?"),
    (
        "private_networks",
        ["10.27.0.0/16"],
        "flock.subnet is '10.27.2.0/24': expected a network that does not overlap 10.27.0.0/16",
    ),
    ("gateway", "10.27.3.1", "flock.gateway is '10.27.3.1': expected the address of a host in flock.subnet 10.27.2.0/24"),
    ("gateway", "10.27.2.255", "flock.gateway is '10.27.2.255'"),
    ("gateway_mac", "01:00:5e:00:00:01", "expected a unicast MAC address"),
    ("dns_servers", [], "flock.dns_servers is []: expected at least one address of a DNS server"),
    ("dns_servers", ["dns.example"], "flock.dns_servers[0] is 'dns.example': expected an IPv4 address"),
    ("addresses", {"p220": "10.27.2"}, "flock.addresses.p220 is '10.27.2': expected an IPv4 address"),
    ("colour", "blue", "flock.colour is 'blue': expected no such key; the keys are address_offset"),
    ("container", {"memory": 1}, "flock.container.memory is 1: expected no such key"),
    ("container", {"slots": 17}, "flock.container.slots is 17: expected a whole number from 1 to 16"),
    ("egress_allow", [{"address": "10.1.1.1", "protocol": "icmp", "port": 1}], "expected one of tcp, udp"),
    ("egress_allow", [{"address": "10.27.2.0/30", "protocol": "tcp", "port": 1}], "expected a destination outside flock.subnet"),
    ("flock_in", [{"name": "remote", "access_points": []}], "expected at least one address of an access point"),
    ("flock_prefix", "p", "flock.flock_prefix is 'p': expected a prefix other than flock.regular_prefix"),
    ("mtu", 100, "flock.mtu is 100: expected a whole number from 576 to 9216"),
    ("lease_seconds", 5, "flock.lease_seconds is 5"),
    ("flock_out", [{"name": "r", "central_manager": "x", "token_file": "t"}], "expected an absolute path"),
]


@pytest.mark.parametrize(("key", "value", "sentence"), BAD)
def test_a_bad_value_is_one_sentence(flock: dict[str, Any], key: str, value: object, sentence: str) -> None:
    flock[key] = value
    with pytest.raises(DescriptionError) as error:
        describe(flock)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_the_central_manager_is_seen_from_the_wan(flock: dict[str, Any]) -> None:
    flock["central_manager"]["wan_address"] = "10.27.2.9"
    with pytest.raises(DescriptionError, match=r"flock\.central_manager\.wan_address is '10\.27\.2\.9'"):
        describe(flock)


@pytest.mark.parametrize("raw", [None, [], "flock"])
def test_the_description_is_a_dict(raw: object) -> None:
    with pytest.raises(DescriptionError, match="expected a dict with the keys"):
        describe(raw)
