# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the gateway's tc filters are there after the host's addresses have changed. What they do is tried in the lab."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "roles/vlan/files"), str(ROOT / "roles/gateway/files")]

import flock_gateway
import flock_net

SITE = {"interface": "em1.2512", "address": "10.27.2.1", "subnet": "10.27.2.0/24", "condor_port": 9618}
PRIVATE, STORAGE = "10.27.1.1", "10.27.3.1"
ALWAYS = {"10.27.2.255", "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3"}


class Kernel:
    """Flower's filters of one interface, by chain, preference and handle."""

    def __init__(self) -> None:
        self.addresses = [SITE["address"], PRIVATE, STORAGE]
        self.local: list[str] = []
        self.filters: dict[tuple[str, str, str], str] = {}

    def run(self, *argv: str, given: str = "") -> str:
        if argv[-3:] == ("show", "table", "local"):
            routes = ["127.0.0.0/8", "127.0.0.1", "127.255.255.255", *self.addresses, *self.local]
            return json.dumps([{"type": "local", "dst": address} for address in routes])
        if argv[:2] == ("ip", "-json"):
            return json.dumps([{"addr_info": [{"local": address} for address in ["127.0.0.1", *self.addresses]]}])
        if argv[:2] == ("tc", "-batch"):
            for line in given.splitlines():
                words = line.split()
                assert words[:4] == ["filter", "replace", "dev", "em1.2512"] and words[4] == "ingress"
                self._replace(words[5:])
        elif argv[:4] == ("tc", "-json", "filter", "show"):
            return json.dumps(self._shown() if argv[-1] == "ingress" else [])
        elif argv[:3] == ("tc", "filter", "del"):
            given_words = dict(zip(argv[6::2], argv[7::2]))
            del self.filters[given_words["chain"], given_words["pref"], given_words["handle"]]
        else:
            assert argv == ("tc", "qdisc", "replace", "dev", "em1.2512", "clsact")
        return ""

    def _replace(self, words: list[str]) -> None:
        chain, words = (words[1], words[2:]) if words[0] == "chain" else ("0", words)
        assert words[::2][:3] == ["pref", "handle", "protocol"]
        self.filters[chain, words[1], words[3]] = " ".join(words[7:])

    def _shown(self) -> list[dict[str, object]]:
        head = [{"protocol": "ip", "pref": 20, "kind": "flower", "chain": 0}]
        return head + [
            {"protocol": "ip", "pref": int(pref), "kind": "flower", "chain": int(chain), "options": {"handle": int(handle)}}
            for chain, pref, handle in self.filters
        ]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(flock_net, "run", made.run)
    monkeypatch.setattr(flock_gateway, "run", made.run)
    monkeypatch.setattr(flock_net, "link_exists", lambda name: True)
    return made


def closed(kernel: Kernel) -> set[str]:
    return {match.split()[1] for match in kernel.filters.values() if "dst_ip" in match and match.endswith("action drop")}


def test_every_address_of_the_host_is_closed_and_the_flocks_own_is_asked_further(kernel: Kernel) -> None:
    flock_gateway.OwnServices(SITE).apply()
    assert closed(kernel) == {PRIVATE, STORAGE, *ALWAYS}
    assert f"dst_ip {SITE['address']} action goto chain 1" in kernel.filters.values()
    assert "ip_proto tcp dst_port 9618 action pass" in kernel.filters.values()


def test_an_address_that_goes_is_not_closed_any_more_and_one_that_comes_is(kernel: Kernel) -> None:
    services = flock_gateway.OwnServices(SITE)
    services.apply()
    kernel.addresses.remove(PRIVATE)
    services.apply()
    assert closed(kernel) == {STORAGE, *ALWAYS}
    kernel.addresses.append(PRIVATE)
    services.apply()
    assert PRIVATE in closed(kernel)


def test_broadcasts_of_every_network_and_whole_networks_of_the_hosts_own_are_closed(kernel: Kernel) -> None:
    kernel.local = ["10.27.1.255", "192.0.2.128/25"]
    flock_gateway.OwnServices(SITE).apply()
    assert closed(kernel) == {PRIVATE, STORAGE, *kernel.local, *ALWAYS}


def test_filters_of_another_layout_are_taken_away_at_the_end(kernel: Kernel) -> None:
    old = {("0", "110", "1"): "dst_ip 10.27.2.1 action pass", ("1", "10", "7"): "action pass", ("0", "150", "1"): "action pass"}
    kernel.filters.update(old)
    flock_gateway.OwnServices(SITE).apply()
    assert not old.keys() & kernel.filters.keys()


def test_a_central_manager_elsewhere_leaves_its_port_closed_here(kernel: Kernel) -> None:
    flock_gateway.OwnServices(SITE).apply()
    flock_gateway.OwnServices(SITE | {"condor_port": 0}).apply()
    assert not any("dst_port" in match for match in kernel.filters.values())


def test_fragments_are_dropped_before_anything_passes_and_pass_through_nowhere(kernel: Kernel) -> None:
    flock_gateway.OwnServices(SITE).apply()
    asked = {int(pref): match for (chain, pref, _), match in kernel.filters.items() if chain == "1"}
    assert asked[min(asked)] == "ip_flags frag action drop"
    passing = [match for (chain, _, _), match in kernel.filters.items() if chain == "0" and match.endswith("action pass")]
    assert sorted(passing) == ["action pass", "ip_flags nofrag action pass"]  # ARP, and IPv4
