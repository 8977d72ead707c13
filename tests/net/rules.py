# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulesets as the roles render them: their templates, their defaults, the real plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.role_options import specification, typed
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.site.plan import make_plan

from . import topology

ROOT = Path(__file__).resolve().parents[2]
GROUPS = {
    "flock_gateway": ["submit"],
    "flock_central_manager": ["submit"],
    "flock_access_point": ["submit"],
    "flock_nodes": ["p220", "p221"],
}
# The gateway is the central manager; and no log entry is lost to the log's limit.
HERE = {"gateway_wan_filter": True, "gateway_log_per_second": 100000}


def description(behind: bool) -> dict[str, Any]:
    """Return the site's description; with the central manager behind the gateway if wanted."""
    manager = {"host": "submit", "wan_address": topology.WAN_ADDRESS, "flock_address": topology.GATEWAY, "port": 9618}
    if behind:
        manager["flock_address"] = topology.MANAGER
    return {
        "vlan_id": 2512,
        "parent": "em1",
        "subnet": topology.SUBNET,
        "gateway": topology.GATEWAY,
        "wan_interface": "wan",
        "private_networks": ["10.27.1.0/24"],
        "public_networks": ["198.51.100.0/24"],
        "dns_servers": [topology.RESOLVER],
        "domain": "sips",
        "egress_allow": [{"address": f"{topology.MANAGER}/32", "protocol": "tcp", "port": 9618}] if behind else [],
        "central_manager": manager,
        "flock_in": [{"name": "remote", "access_points": [topology.LISTED]}],
    }


def _trusted(value: Any) -> Any:
    """Return variables as a role has them: texts are templates."""
    if isinstance(value, dict):
        return {key: _trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def _templar(role: str, variables: dict[str, Any]) -> Templar:
    known: dict[str, Any] = {}
    for name in ("defaults", "vars"):
        path = ROOT / "roles" / role / name / "main.yml"
        if path.exists():
            known |= _trusted(yaml.safe_load(path.read_text()) or {})
    loader = DataLoader()
    loader.set_basedir(str(ROOT / "roles" / role / "templates"))
    usual = {"ansible_managed": "Ansible", "ansible_facts": {}, "groups": GROUPS, "inventory_hostname": "submit"}
    variables = {**usual, **known, **variables}
    # What lookup role_options gives.
    given = Templar(loader=loader, variables=variables).template({name: variables.get(name) for name in specification(role)})
    options, wrong = typed(role, {name: value for name, value in given.items() if value is not None})
    assert not wrong, wrong
    return Templar(loader=loader, variables={**variables, f"{role}__options": options})


def _render(role: str, template: str, variables: dict[str, Any]) -> str:
    text = (ROOT / "roles" / role / "templates" / template).read_text()
    return str(_templar(role, variables).template(trust_as_template(text)))


def gateway_settings(**settings: Any) -> dict[str, Any]:
    """Return the settings of the gateway's service."""
    variables = {"flock_plan": plan(), **settings}
    return dict(_templar("gateway", variables).template(trust_as_template("{{ gateway__settings }}")))


def vlan_switches(host: str) -> dict[str, dict[str, str]]:
    """Return the sysctls of a host's interface on the VLAN, by family."""
    variables = {"inventory_hostname": host, "flock_plan": plan()}
    return dict(_templar("vlan", variables).template(trust_as_template("{{ vlan__switches }}")))


def gateway(behind: bool = False, **settings: Any) -> str:
    """Return the gateway's ruleset."""
    plan = make_plan(description(behind), "submit", GROUPS)
    return _render("gateway", "flock-gateway.nft.j2", {"flock_plan": plan, **HERE, **settings})


def limits(**settings: Any) -> str:
    """Return the ruleset that counts flows."""
    return _render("gateway", "flock-limits.nft.j2", {"flock_plan": plan(), **HERE, **settings})


def both(behind: bool = False, **settings: Any) -> str:
    """Return the gateway's ruleset and the one that counts flows, in one text."""
    return gateway(behind, **settings) + limits(**settings)


def offload(**settings: Any) -> str:
    """Return the ruleset that open flows pass by."""
    return _render("gateway", "flock-offload.nft.j2", {"flock_plan": plan(), **HERE, **settings})


def port(node: str) -> str:
    """Return a node's port filter."""
    plan = make_plan(description(False), node, GROUPS)
    return _render("macvlan", "flock-port.nft.j2", {"flock_plan": plan, "flock_node": plan["nodes"][node]})


def plan(behind: bool = False) -> dict[str, Any]:
    """Return the plan as the gateway sees it."""
    return make_plan(description(behind), "submit", GROUPS)
