"""The inventory that users copy: the description makes a plan, and nothing optional is switched on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.sheepfold.htcondor.plugins.filter.plan import FilterModule

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "inventories/example"
FILTERS = FilterModule().filters()


def _groups() -> dict[str, list[str]]:
    groups = InventoryManager(loader=DataLoader(), sources=[str(EXAMPLE / "hosts.yml")]).get_groups_dict()
    return {str(name): list(hosts) for name, hosts in groups.items()}


def _flock() -> Any:
    return yaml.safe_load((EXAMPLE / "group_vars/all/flock.yml").read_text())["flock"]


def test_the_example_has_no_problem() -> None:
    groups = _groups()
    site = FILTERS["flock_site"](_flock(), groups)
    assert site["problems"] == [] and len(site["nodes"]) == 40
    for host in groups["all"]:
        assert FILTERS["flock_host_problems"](site, host, host in groups["flock_gateway"]) == []


def test_nothing_optional_is_switched_on() -> None:
    assert set(_groups()) == {
        *("all", "ungrouped"),
        *("flock_gateway", "flock_central_manager", "flock_access_point", "flock_nodes"),
    }


def test_commands_of_the_pages_name_hosts_of_the_example() -> None:
    hosts = _groups()["all"]
    pages = [ROOT / "README.md", ROOT / "docs/operations.md", *sorted(ROOT.glob("roles/*/README.md"))]
    text = "".join(page.read_text() for page in pages)
    named = [name for limit in re.findall(r"--limit '?([^'` ]+)", text) for name in limit.replace("!", "").split(":")]
    assert [name for name in named if name.startswith("p")]
    assert [name for name in named if not name.startswith("flock_") and name != "all" and name not in hosts] == []
