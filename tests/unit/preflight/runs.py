"""Real runs of Ansible on this host alone, in check mode, with what they said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
FLOCK: dict[str, Any] = {
    "vlan_id": 2512,
    "parent": "lo",
    "subnet": "10.27.2.0/24",
    "gateway": "10.27.2.1",
    "wan_interface": "lo",
    "private_networks": ["10.27.1.0/24"],
    "dns_servers": ["203.0.113.53"],
    "domain": "sips",
    "central_manager": {"host": "submit", "wan_address": "203.0.113.1"},
}
GROUPS = {
    "flock_gateway": ["submit"],
    "flock_central_manager": ["submit"],
    "flock_access_point": ["submit"],
    "flock_nodes": ["p220", "p221"],
}


@dataclass(frozen=True)
class Run:
    """What one run did."""

    returncode: int
    #: Messages of failed tasks, by host; a list of sentences as one line each.
    failed: dict[str, list[str]]
    changed: list[str]
    output: str


def inventory(path: Path, variables: dict[str, Any], groups: dict[str, list[str]] | None = None) -> Path:
    """Write an inventory of this host under several names."""
    groups = GROUPS if groups is None else groups
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    children = {name: {"hosts": dict.fromkeys(hosts)} for name, hosts in groups.items()}
    path.write_text(yaml.safe_dump({"all": {"vars": {**local, "flock": FLOCK, **variables}, "children": children}}))
    return path


def run(playbook: Path, hosts: Path, *arguments: str, check: bool = True, strategy: str = "linear") -> Run:
    """Run a playbook, in check mode unless it is one that changes nothing."""
    mode = ["--check"] if check else []
    command = [Path(sys.executable).with_name("ansible-playbook"), *mode, "-i", hosts, playbook, *arguments]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_STRATEGY": strategy,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_HOME": str(hosts.parent / "ansible"),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    start = done.stdout.find("{\n")
    assert start >= 0, done.stdout + done.stderr
    failed: dict[str, list[str]] = {}
    changed: list[str] = []
    for play in json.loads(done.stdout[start:])["plays"]:
        for task in play["tasks"]:
            for host, outcome in task["hosts"].items():
                if outcome.get("failed") or outcome.get("unreachable"):
                    said = outcome.get("msg", outcome)
                    failed.setdefault(host, []).extend(said if isinstance(said, list) else [str(said)])
                if outcome.get("changed"):
                    changed.append(f"{host}: {task['task']['name']}")
    return Run(done.returncode, failed, changed, done.stdout + done.stderr)
