# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other priorities, another routing table, another mark: nothing stays where they were, and the site's own stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import namespaces
from ansible_collections.sheepfold.htcondor.plugins.modules import network_host_info

from . import rules, topology
from .crossroads import Crossroads, crossroads
from .service import GatewayService

#: A rule and a route of the site's own beside ours.
SITES_RULE, SITES_ROUTE = "2511: from 10.8.0.0/24 lookup 77", "10.77.0.0/24 via 10.27.1.5 dev em1"
MOVES: dict[str, dict[str, Any]] = {
    "priority": {"rule_priority": 3000},
    "overlapping priorities": {"rule_priority": 2513},
    "lower priorities": {"rule_priority": 2505},
    "table": {"route_table": 3512},
    "all": {"rule_priority": 3000, "route_table": 3512, "mark": 6, "too_long_mark": 7},
}


@pytest.fixture(name="roads", scope="module")
def fixture_roads() -> Iterator[Crossroads]:
    with crossroads() as made:
        yield made


def there(roads: Crossroads) -> dict[str, str]:
    """Return the rules that are not the kernel's own, and the routes of both tables."""

    def shown(*words: str) -> list[str]:
        command = f"ip -4 {' '.join(words)} 2>/dev/null || true"
        text = topology.command("ip", "netns", "exec", roads.gateway, "sh", "-c", command)
        return [" ".join(line.split()) for line in text.splitlines() if not line.startswith(("0:", "3276"))]

    return {
        "rules": "\n".join(shown("rule", "show")),
        **{table: "\n".join(sorted(shown("route", "show", "table", table))) for table in ("2512", "3512")},
    }


def described(service: GatewayService, changes: dict[str, Any]) -> None:
    marks = {"mark": 389149, "too_long_mark": 389148, **changes}
    text = rules.gateway(gateway_mark=marks["mark"])
    service.describe(rendered=text, **changes)


@pytest.mark.parametrize(("move", "remembered"), [*((move, True) for move in MOVES), ("all", False)])
def test_nothing_stays_where_it_was(roads: Crossroads, tmp_path: Path, move: str, remembered: bool) -> None:
    alone = GatewayService(roads.path, tmp_path / "alone")
    described(alone, MOVES[move])
    alone("load")
    wanted = there(roads)
    alone("remove")
    assert there(roads) == {"rules": "", "2512": "", "3512": ""}
    service = GatewayService(roads.path, tmp_path / "moved")
    described(service, {})
    service("load")
    if not remembered:  # version 1.0
        (service.run / "sheepfold" / "gateway.routing").unlink()
    before = there(roads)
    described(service, MOVES[move])
    service("load")
    assert there(roads) == wanted
    assert not service("check")
    # Where the load of a change fails, nothing stays of the change.
    described(service, {"health_command": "false"})
    assert service.attempt("load")[0] == 1
    assert there(roads) == wanted
    described(service, {})
    service("load")
    assert there(roads) == before
    service("remove")
    assert there(roads) == {"rules": "", "2512": "", "3512": ""}


def test_what_was_left_by_a_killed_load_goes_with_absent(roads: Crossroads, tmp_path: Path) -> None:
    service = GatewayService(roads.path, tmp_path)
    described(service, MOVES["all"])
    service("load")
    note = service.run / "sheepfold" / "gateway.routing"
    kept = note.read_text()
    described(service, {})
    service("load")
    # As before the load removed anything.
    note.write_text(json.dumps([*json.loads(note.read_text()), *json.loads(kept)]))
    roads.ip("rule add pref 3002 iif wan blackhole protocol kernel", "route add blackhole 10.0.0.0/8 table 3512 protocol kernel")
    service("remove")
    assert there(roads) == {"rules": "", "2512": "", "3512": ""}


def test_the_sites_own_stays_and_is_told(roads: Crossroads, tmp_path: Path) -> None:
    service = GatewayService(roads.path, tmp_path)
    described(service, {})
    service("load")
    roads.ip("rule add pref 2511 from 10.8.0.0/24 lookup 77", f"route add {SITES_ROUTE} table 2512")
    with namespaces.inside(roads.path):
        listed = network_host_info.ip("-details", "rule", "show")
        routes = network_host_info.ip("-details", "route", "show", "table", "2512")
    others = [rule["priority"] for rule in listed if not network_host_info.is_the_flocks(rule)]
    assert others == [0, 2511, 32766, 32767]
    assert [route["dst"] for route in routes if not network_host_info.is_denied(route)] == ["10.77.0.0/24"]
    described(service, MOVES["all"])
    service("load")
    now = there(roads)
    assert SITES_RULE in now["rules"] and now["2512"] == SITES_ROUTE
    assert "lookup 2512" not in now["rules"]
    service("remove")
    assert there(roads) == {"rules": SITES_RULE, "2512": SITES_ROUTE, "3512": ""}
    roads.ip("rule del pref 2511", f"route del {SITES_ROUTE} table 2512")
