# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a killed command of the gateway's service leaves, the next load mends; and on the way nothing is open."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .crossroads import Crossroads, crossroads
from .service import ROLES, GatewayService

#: Fewer steps than these were not counted right.
LEAST = {"load": 16, "change": 12, "close": 5, "remove": 8, "repair": 10}


@pytest.fixture(name="roads", scope="module")
def fixture_roads() -> Iterator[Crossroads]:
    with crossroads() as made:
        yield made


@pytest.mark.parametrize("scenario", LEAST)
def test_a_load_mends_what_was_killed(roads: Crossroads, tmp_path: Path, scenario: str) -> None:
    service = GatewayService(roads.path, tmp_path)
    service.describe(behind=True)
    other = tmp_path / "other.json"
    settings = json.loads(service.settings.read_text())
    settings["denied"] = [*settings["denied"][1:], "198.51.100.0/26"]
    # Other priorities, which overlap; what another hand takes away in a repair is where it was.
    moved = {} if scenario == "repair" else {"rule_priority": 2513}
    other.write_text(json.dumps({**settings, "allowed": [], **moved}))
    service("load")
    try:
        environment = {**service.environment, "SHEEPFOLD_PROGRAMS": str(ROLES / "gateway" / "files")}
        words = service.words(scenario, program=Path(__file__).with_name("killed.py"))
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        steps, wrong = json.loads(done.stdout)
        assert not wrong, done.stderr
        assert steps >= LEAST[scenario]
    finally:
        service("remove")
