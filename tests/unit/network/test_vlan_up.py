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
