# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the VLAN's interface goes up at once, and who opens it where it does not. Making one is tried in the lab."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "roles/vlan/files"))

import flock_vlan

VLAN = {"interface": "em1.2512", "parent": "em1", "vlan_id": 2512, "switches": {}, "networkd": False}


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the links that were taken up."""
    found: list[str] = []
    monkeypatch.setattr(flock_vlan, "RUN_DIRECTORY", tmp_path)
    monkeypatch.setattr(flock_vlan, "MADE", tmp_path / "vlan.interface")
    monkeypatch.setattr(flock_vlan, "link_exists", lambda name: True)
    monkeypatch.setattr(flock_vlan, "set_link", lambda name, up: found.append(name) if up else None)
    monkeypatch.setattr(flock_vlan, "_form", lambda vlan: None)
    monkeypatch.setattr(flock_vlan, "run", lambda *words, **_more: "")
    return found


@pytest.mark.parametrize("there", [True, False])
def test_the_guard_opens_what_found_no_rules(
    opened: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    def nft(words: list[str], **_more: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(words, 0 if there else 1)

    monkeypatch.setattr(flock_vlan.subprocess, "run", nft)
    flock_vlan.up({**VLAN, "table": ["inet", "flock_gateway"]})
    assert bool(opened) == there
    assert (tmp_path / "gateway.closed").exists() != there


def test_what_a_guard_has_closed_stays_closed(opened: list[str], tmp_path: Path) -> None:
    (tmp_path / "port.closed").touch()
    flock_vlan.up({**VLAN, "table": []})
    assert not opened


def test_what_another_hand_took_up_without_rules_is_taken_down(
    opened: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NetworkManager does at boot, where the gateway's rules could not be loaded."""
    links = {VLAN["interface"]: True}
    monkeypatch.setattr(flock_vlan, "set_link", links.__setitem__)
    (tmp_path / "gateway.closed").touch()
    flock_vlan.up({**VLAN, "table": ["inet", "flock_gateway"]})
    assert links == {VLAN["interface"]: False}


@pytest.fixture(name="links")
def fixture_links(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return a kernel's VLAN interfaces with their aliases, as the program sees and changes them."""
    there: dict[str, str] = {}

    def ip(*words: str, **_more: Any) -> str:
        if words[:3] == ("ip", "link", "add"):
            there[words[words.index("name") + 1]] = ""
        elif words[:3] == ("ip", "link", "del"):
            del there[words[-1]]
        elif "alias" in words:
            there[words[words.index("dev") + 1]] = words[-1]
        return ""

    monkeypatch.setattr(flock_vlan, "run", ip)
    monkeypatch.setattr(flock_vlan, "link_exists", there.__contains__)
    monkeypatch.setattr(flock_vlan, "_is_vlan", there.__contains__)
    monkeypatch.setattr(flock_vlan, "_alias", there.__getitem__)
    monkeypatch.setattr(flock_vlan.subprocess, "run", lambda words, **_more: subprocess.CompletedProcess(words, 0))
    return there


def numbered(number: int) -> dict[str, Any]:
    return {**VLAN, "interface": f"em1.{number}", "vlan_id": number, "networkd": True, "table": []}


def test_a_vlan_of_the_sites_own_is_neither_used_nor_deleted(links: dict[str, str]) -> None:
    flock_vlan.up(numbered(2512))
    links["em1.300"] = ""
    with pytest.raises(flock_vlan.Failure, match=r"flock.vlan_id makes em1.300, which is there and was not made here"):
        flock_vlan.up(numbered(300))
    flock_vlan.down(numbered(300))
    assert links == {"em1.2512": flock_vlan.ALIAS, "em1.300": ""}


def test_our_own_goes_when_the_number_changes(links: dict[str, str]) -> None:
    flock_vlan.up(numbered(2512))
    flock_vlan.up(numbered(2513))
    assert links == {"em1.2513": flock_vlan.ALIAS}
    flock_vlan.down(numbered(2513))
    assert links == {}


def test_that_of_an_earlier_version_is_taken_over(links: dict[str, str], tmp_path: Path) -> None:
    """It had no alias, and its name stood in /run."""
    links["em1.2512"] = ""
    (tmp_path / "vlan.interface").write_text("em1.2512")
    flock_vlan.up(numbered(2512))
    assert links == {"em1.2512": flock_vlan.ALIAS}


def test_that_of_networkmanager_is_taken_over(links: dict[str, str]) -> None:
    links["em1.2512"] = ""
    flock_vlan.up({**numbered(2512), "networkd": False})
    assert links == {"em1.2512": flock_vlan.ALIAS}
