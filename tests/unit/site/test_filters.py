"""The filters: what Ansible calls, with Ansible's errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sheepfold.htcondor.plugins.filter.plan import FilterModule
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.site import plan

ROOT = Path(__file__).resolve().parents[3]
FILTERS = FilterModule().filters()


def test_the_plan_is_made_and_not_shared(flock: dict[str, Any], groups: dict[str, list[str]]) -> None:
    first = FILTERS["flock_plan"](flock, "p220", groups)
    first["nodes"].clear()
    assert FILTERS["flock_plan"](flock, "p220", groups)["nodes"]["p220"]["address"] == "10.27.2.220"


def test_a_bad_description_is_ansibles_error(flock: dict[str, Any], groups: dict[str, list[str]]) -> None:
    flock["vlan_id"] = 0
    with pytest.raises(AnsibleFilterError, match=r"flock\.vlan_id is 0: expected a whole number from 1 to 4094"):
        FILTERS["flock_plan"](flock, "p220", groups)


@pytest.mark.parametrize(
    ("changes", "addresses", "sentence"),
    [
        ({}, ["10.27.1.220"], ""),
        (
            {},
            ["10.27.2.9"],
            "flock.subnet is '10.27.2.0/24': expected a network without hosts in it, and p220 has",
        ),
        ({"dns_servers": []}, [], "flock.dns_servers is []: expected at least one address of a DNS server"),
    ],
)
def test_a_problem_is_one_sentence(
    flock: dict[str, Any], groups: dict[str, list[str]], changes: dict[str, Any], addresses: list[str], sentence: str
) -> None:
    problem = FILTERS["flock_problem"]({**flock, **changes}, "p220", groups, "", addresses)
    assert problem.startswith(sentence) if sentence else problem == ""


def test_no_description_is_a_problem_too(groups: dict[str, list[str]]) -> None:
    assert FILTERS["flock_problem"](None, "p220", groups).startswith("flock is not set: expected a dict with the keys")


def test_the_plan_is_made_once_for_any_number_of_hosts(monkeypatch: pytest.MonkeyPatch, flock: dict[str, Any]) -> None:
    made: list[int] = []
    looked: list[int] = []

    class Counted(dict[str, Any]):
        """The nodes, and how often one looks at all of them."""

        def __iter__(self) -> Any:
            looked.append(1)
            return super().__iter__()

    make_site, names = plan.make_site, [f"p{number}" for number in range(1, 2001)]
    monkeypatch.setattr(plan, "make_site", lambda *arguments: made.append(1) or make_site(*arguments))
    groups = {f"flock_{name}": ["submit"] for name in ("gateway", "central_manager", "access_point")} | {"flock_nodes": names}
    flock |= {"subnet": "10.27.0.0/16", "gateway": "10.27.255.1", "private_networks": []}
    site = FILTERS["flock_site"](flock, groups)
    again = FILTERS["flock_site"](flock, groups, site)
    assert (again, len(made)) == (site, 1)
    site["nodes"] = Counted(site["nodes"])
    for name in names:
        assert FILTERS["flock_host_problems"](site, name, False, "", ["192.168.1.1"]) == []
    assert (len(made), len(looked)) == (1, 0)


def test_a_controller_without_netaddr_is_told_so() -> None:
    program = """
import sys
sys.modules["netaddr"] = None
from ansible_collections.sheepfold.htcondor.plugins.filter.plan import flock_site
flock_site({}, {})
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "build" / "collections")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    told = "The Python library netaddr is not installed on the controller: expected"
    assert told in done.stderr.splitlines()[-1]


def test_a_host_that_looks_at_the_plan_loads_no_netaddr(flock: dict[str, Any], groups: dict[str, list[str]]) -> None:
    """Each host looks in a process of its own, and netaddr takes ten times as long to load as the look."""
    site = FILTERS["flock_site"](flock, groups)
    program = f"""
import json, sys
sys.path[:0] = {sys.path!r}
from {FilterModule.__module__} import FilterModule
filters, site = FilterModule().filters(), json.loads({json.dumps(site)!r})
assert filters["flock_host_problems"](site, "p220", False, "em1", ["192.168.1.1"]) == []
assert filters["flock_seen_from"](site, "p220", "em1")["interface"] == "em1.2512"
assert "netaddr" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_filter_loads_no_more_than_it_needs() -> None:
    """Ansible loads every file of the directory for one filter, for each host in a process of its own."""
    program = """
import sys
from importlib import import_module
from pathlib import Path
for path in Path(sys.argv[1]).glob("*.py"):
    import_module(f"ansible_collections.sheepfold.htcondor.plugins.filter.{path.stem}")
loaded = [".plugins.module_utils.shepherd", ".plugin_utils.preflight"]
print([name for name in sys.modules if name == "netaddr" or any(part in name for part in loaded)])
"""
    here = ROOT / "plugins" / "filter"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "build" / "collections")}
    done = subprocess.run([sys.executable, "-c", program, here], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
