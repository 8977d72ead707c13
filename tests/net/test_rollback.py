# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A load that fails, at whatever layer, brings back what worked last: in the kernel and on the disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import rules, topology
from .crossroads import VLAN, WAN, Crossroads, crossroads
from .service import ROLES, GatewayService


@pytest.fixture(name="roads", scope="module")
def fixture_roads() -> Iterator[Crossroads]:
    with crossroads() as made:
        yield made


@pytest.fixture(name="gateway")
def fixture_gateway(roads: Crossroads, tmp_path: Path) -> Iterator[GatewayService]:
    service = GatewayService(roads.path, tmp_path)
    service.describe()
    service("load")
    yield service
    service("remove")


def kernel(roads: Crossroads) -> str:
    words = (
        "sh",
        "-c",
        "ip -4 rule show; ip -4 route show table 2512; ip -br link show up | cut -d' ' -f1; "
        "nft list tables | sort | while read -r _ table; do nft --stateless list table $table; done",
    )
    # In no order: tables are listed as they were made, and the limits stay where the others are replaced.
    return "\n".join(sorted(topology.command("ip", "netns", "exec", roads.gateway, *words).splitlines()))


def host_bits(service: GatewayService) -> None:
    service.describe(denied=[*json.loads(service.settings.read_text())["denied"], "198.51.100.7/24"])


def no_address(service: GatewayService) -> None:
    service.describe(nodes={"10.27.2.999": "02:42:0a:1b:02:dc"})


def unhealthy(service: GatewayService) -> None:
    service.describe(denied=["198.51.100.0/24"], health_command="false")


def no_rules(service: GatewayService) -> None:
    service.describe(rendered="table inet flock_gateway { chain c { nonsense } }\n", denied=["198.51.100.0/24"])


def no_json(service: GatewayService) -> None:
    service.settings.write_text("{")


def a_key_is_missing(service: GatewayService) -> None:
    settings = json.loads(service.settings.read_text())
    del settings["mark"]
    service.settings.write_text(json.dumps(settings))


@pytest.mark.parametrize("change", [host_bits, no_address, unhealthy, no_rules], ids=lambda one: one.__name__)
def test_what_worked_last_comes_back(
    roads: Crossroads, gateway: GatewayService, change: Callable[[GatewayService], None]
) -> None:
    before, files = kernel(roads), (gateway.settings.read_text(), gateway.rules.read_text())
    change(gateway)
    code, said = gateway.attempt("load")
    assert code == 1 and "The previous rules are back in force" in said
    assert (gateway.settings.read_text(), gateway.rules.read_text()) == files
    assert gateway.settings.with_name("gateway.json.rejected").exists()
    assert kernel(roads) == before
    assert not gateway("check")


@pytest.mark.parametrize("change", [no_json, a_key_is_missing], ids=lambda one: one.__name__)
@pytest.mark.parametrize("command", ["load", "close", "remove"])
def test_settings_that_cannot_be_read_are_those_that_worked_last(
    roads: Crossroads, gateway: GatewayService, change: Callable[[GatewayService], None], command: str
) -> None:
    change(gateway)
    said = gateway(command)
    assert "gateway.json" in said and "What worked last is taken in its place" in said
    assert (roads.switch(WAN) == "2") == (command == "load")
    assert ("flock_gateway" in kernel(roads)) == (command != "remove")


def test_without_earlier_files_the_vlan_is_closed(roads: Crossroads, tmp_path: Path) -> None:
    service = GatewayService(roads.path, tmp_path)
    service.describe()
    host_bits(service)
    code, said = service.attempt("load")
    assert code == 1
    assert "denied has 198.51.100.7/24: expected an IPv4 network" in said and "the VLAN is closed" in said
    assert VLAN not in topology.command("ip", "-n", roads.gateway, "-br", "link", "show", "up")
    service.describe()
    service("load")
    assert VLAN in topology.command("ip", "-n", roads.gateway, "-br", "link", "show", "up")
    service("remove")


def test_a_nodes_port_filter_goes_back_too(roads: Crossroads, tmp_path: Path) -> None:
    """Without tc, which this host's kernel may lack."""
    settings, table = tmp_path / "port.json", tmp_path / "flock-port.nft"
    settings.write_text(json.dumps({"interface": VLAN, "tc": False, "rules": str(table)}))
    table.write_text(rules.port("p220"))
    port = GatewayService(roads.path, tmp_path, ROLES / "macvlan" / "files" / "flock_port.py", {"SHEEPFOLD_PORT": str(settings)})
    port("load")
    assert not port("check")
    before = kernel(roads)
    table.write_text("table netdev flock_port { chain ingress { nonsense } }\n")
    code, said = port.attempt("load")
    assert code == 1 and "The previous rules are back in force" in said
    assert kernel(roads) == before and table.read_text() == rules.port("p220")
    port("remove")
    assert "flock_port" not in kernel(roads)
