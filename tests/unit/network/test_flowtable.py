# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the gateway's flowtable is loaded and when it is taken away. What it does is tried in the lab: not every kernel has it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "roles/vlan/files"), str(ROOT / "roles/gateway/files")]

import flock_gateway
import flock_net

from tests.net import rules

FILE = "/etc/sheepfold/gateway/flock-offload.nft"


class Kernel:
    """What a kernel has of both tables, by family, and its interfaces."""

    def __init__(self) -> None:
        self.tables: dict[str, str] = {}
        self.interfaces = {"em1.2512", "wan"}

    def run(self, *argv: str, given: str = "") -> str:
        family = given.split()[1] if given else argv[-2]
        if given:
            assert argv == ("nft", "--file", "-")
            assert given == f"table {family} flock_offload\ndelete table {family} flock_offload\n"
            del self.tables[family]
        elif argv[:2] == ("nft", "--file"):
            self.tables = {each: f"{each} of {argv[2]}" for each in ("inet", "netdev")}
        elif argv != ("nft", "--stateless", "--terse", "list", "table", family, "flock_offload"):
            raise AssertionError(argv)
        elif family not in self.tables:
            raise flock_net.Failure("No such file or directory")
        else:
            return self.tables[family]
        return ""


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(flock_net, "run", made.run)
    monkeypatch.setattr(flock_gateway, "link_exists", lambda name: name in made.interfaces)
    return made


def flowtable(file: str = FILE) -> flock_gateway.Flowtable:
    return flock_gateway.Flowtable({"interface": "em1.2512", "wan_interface": "wan", "flowtable": file})


def test_it_is_loaded_where_it_is_wanted(kernel: Kernel) -> None:
    layer = flowtable()
    assert layer.state(False) == flock_net.MISSING
    layer.apply()
    assert sorted(kernel.tables) == ["inet", "netdev"] and FILE in layer.state(False)
    # As the gateway's own file leaves it.
    del kernel.tables["inet"]
    assert layer.state(True) == flock_net.MISSING


@pytest.mark.parametrize("missing", ["em1.2512", "wan"])
def test_without_an_interface_there_is_none(kernel: Kernel, missing: str) -> None:
    layer = flowtable()
    kernel.interfaces.remove(missing)
    layer.apply()
    before = layer.state(False)
    assert kernel.tables == {} and before != flock_net.MISSING
    # It comes: that is a change, and the guard applies it.
    kernel.interfaces.add(missing)
    assert layer.state(False) == flock_net.MISSING
    layer.apply()
    loaded = layer.state(False)
    # And goes: what is left without it is another change.
    kernel.interfaces.remove(missing)
    assert layer.state(False) not in (before, loaded, flock_net.MISSING)
    layer.apply()
    assert layer.state(False) == before


def test_one_that_is_not_wanted_any_more_is_taken_away(kernel: Kernel) -> None:
    flowtable().apply()
    unwanted = flowtable("")
    assert FILE in unwanted.state(False)
    unwanted.apply()
    assert kernel.tables == {} and FILE not in unwanted.state(False)


def test_the_default_is_none_and_the_rules_begin_open_flows_anew() -> None:
    assert rules.gateway_settings()["flowtable"] == ""
    assert rules.gateway_settings(gateway_flowtable=True)["flowtable"] == FILE
    lines = [line for line in rules.gateway().splitlines() if line and not line.startswith("#")]
    assert lines[:2] == ["table inet flock_offload", "delete table inet flock_offload"]


def test_limits_and_addresses_hold_for_open_flows_as_for_others() -> None:
    def statement(text: str, words: str) -> str:
        (line,) = [line.strip() for line in text.splitlines() if f'comment "{words}"' in line]
        return line

    limits = {"gateway_megabytes_per_second": 7, "gateway_total_megabytes_per_second": 9}
    both = rules.gateway(**limits), rules.offload(**limits)
    for words, limit in (("sends too fast", 7), ("receives too fast", 7), ("all send too fast", 9), ("all receive too fast", 9)):
        ours, theirs = (statement(text, words) for text in both)
        # ARP passes the flowtable's hook too.
        assert ours == theirs.removeprefix("meta protocol ip ") and f"{limit} mbytes/second" in ours
    for text in both:
        assert "ip saddr . ether saddr != @bindings goto forged" in text
        assert "ip dscp != cs0 ip dscp set cs0" in text
        assert "10.27.2.220 . 02:42:0a:1b:02:dc" in text
