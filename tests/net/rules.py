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
from ansible_collections.sheepfold.htcondor.plugins.module_utils.site.plan import make_plan

from . import topology

ROOT = Path(__file__).resolve().parents[2]
GROUPS = {
    "flock_gateway": ["submit"],
    "flock_central_manager": ["submit"],
    "flock_access_point": ["submit"],
    "flock_nodes": ["p220", "p221"],
}


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


def _render(role: str, template: str, variables: dict[str, Any]) -> str:
    defaults = ROOT / "roles" / role / "defaults" / "main.yml"
    known = yaml.safe_load(defaults.read_text()) if defaults.exists() else {}
    text = (ROOT / "roles" / role / "templates" / template).read_text()
    templar = Templar(loader=DataLoader(), variables={"ansible_managed": "Ansible", **known, **variables})
    return str(templar.template(trust_as_template(text)))


def gateway(behind: bool = False, **settings: Any) -> str:
    """Return the gateway's ruleset."""
    plan = make_plan(description(behind), "submit", GROUPS)
    return _render("gateway", "flock-gateway.nft.j2", {"flock_plan": plan, "gateway_wan_filter": True, **settings})


def port(node: str) -> str:
    """Return a node's port filter."""
    plan = make_plan(description(False), node, GROUPS)
    return _render("macvlan", "flock-port.nft.j2", {"flock_plan": plan, "flock_node": plan["nodes"][node]})


def plan(behind: bool = False) -> dict[str, Any]:
    """Return the plan as the gateway sees it."""
    return make_plan(description(behind), "submit", GROUPS)
