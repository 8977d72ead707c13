"""Render the roles' templates as Ansible does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.role_options import typed

ROLES = Path(__file__).resolve().parents[3] / "roles"

PLAN: dict[str, Any] = {
    "dns_servers": ["203.0.113.53", "203.0.113.54"],
    "network": "macvlan2512",
    "subnet": "10.27.2.0/24",
    "gateway": {"address": "10.27.2.1", "mac": "02:42:0a:1b:02:01"},
    "container": {"cpus": 2, "memory_mb": 1024, "disk_mb": 2048, "shm_mb": 128, "slots": 2, "pids": 300, "runtime": ""},
}
NODE = {
    "hostname": "f220.sips",
    "flock": "f220",
    "address": "10.27.2.220",
    "mac": "02:42:0a:1b:02:dc",
    "interface": "em1.2512",
}

Render = Callable[..., str]


@pytest.fixture
def render() -> Render:
    """``render(role, template, **variables)``: the text that the role writes."""

    def text(role: str, template: str, **variables: Any) -> str:
        loader = DataLoader()
        defaults = loader.load_from_file(str(ROLES / role / "defaults" / "main.yml"))
        values = {
            "ansible_managed": "managed",
            "flock_plan": PLAN,
            "flock_node": NODE,
            "flock_startd__root_id": 1879048192,
            "ansible_facts": {"container_host": {"systemd_version": 257}},
        }
        # What lookup role_options gives.
        values[f"{role}__options"], wrong = typed(role, {**defaults, **variables})
        assert not wrong
        templar = Templar(loader=loader, variables={**defaults, **values, **variables})
        source = (ROLES / role / "templates" / template).read_text()
        return str(templar.template(trust_as_template(source), convert_data=False, preserve_trailing_newlines=True))

    return text
