"""playbooks/flock_on.yml and flock_off.yml, run by ansible-playbook against a real pool."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from condor_harness import Pool
from small_site import Site

# What a playbook does does not depend on HTCondor's version; what the modules do is tried on every one.
pytestmark = pytest.mark.parametrize("root", ["trixie"], indirect=True)

PROJECT = Path(__file__).resolve().parents[2]
RUNNING = 2

DESCRIPTION = {
    "vlan_id": 2512,
    "parent": "em1",
    "subnet": "10.27.2.0/24",
    "gateway": "10.27.2.1",
    "wan_interface": "wan",
    "private_networks": ["10.27.1.0/24"],
    "dns_servers": ["203.0.113.53"],
    "domain": "site.test",
    "regular_prefix": "p",
    "flock_prefix": "f",
    "central_manager": {"host": "submit", "wan_address": "203.0.113.1"},
    "container": {"cpus": 1, "memory_mb": 512, "disk_mb": 1024},
    "flock_in": [{"name": "remote", "access_points": ["203.0.113.9"]}],
    "lease_seconds": 300,
}


class Playbooks:
    """Runs playbooks with the module on the pool's central manager: its interpreter is Python inside the world."""

    def __init__(self, site: Site, directory: Path) -> None:
        self.site = site
        self.directory = directory
        interpreter = directory / "python-on-submit"
        command = site.pool.world.enter(["python3", "-B"], env=site.cm.env)
        interpreter.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        interpreter.chmod(0o755)
        inventory = {
            "all": {
                "vars": {
                    "ansible_connection": "local",
                    "ansible_become": False,
                    "ansible_python_interpreter": str(interpreter),
                    "flock": DESCRIPTION,
                },
                "children": {
                    "flock_gateway": {"hosts": {"submit": {}}},
                    "flock_central_manager": {"hosts": {"submit": {}}},
                    "flock_access_point": {"hosts": {"submit": {}}},
                    # p221 has no container in this pool: nothing is known of f221.
                    "flock_nodes": {"hosts": {"p220": {}, "p221": {}}},
                },
            }
        }
        self.inventory = directory / "hosts.yml"
        (directory / "ansible.cfg").write_text("")
        self.inventory.write_text(yaml.safe_dump(inventory))

    def run(self, name: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
        """Exit status, statistics of each host, and everything said."""
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "build" / "collections"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_LOCAL_TEMP": str(self.directory / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(self.directory / "remote"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        done = subprocess.run(
            ["ansible-playbook", "-i", str(self.inventory), str(PROJECT / "playbooks" / name), *arguments],
            env=environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=600,
        )
        start = done.stdout.find("{")
        assert start >= 0, f"{done.stdout}\n{done.stderr}"
        answer = json.loads(done.stdout[start:])
        return done.returncode, answer["stats"], done.stdout


@pytest.fixture(scope="module")
def the_site(new_pool: Callable[[str], Pool]) -> Site:
    return Site(new_pool)


@pytest.fixture
def playbooks(the_site: Site, tmp_path: Path) -> Iterator[Playbooks]:
    yield Playbooks(the_site, tmp_path)
    the_site.reset()


def states(site: Site) -> dict[str, str]:
    answer = site.pool.module(site.cm, "startd_info", settle=3)
    return {each["name"]: each["state"] for each in answer["startds"]}


def test_a_node_is_lent_and_taken_back(playbooks: Playbooks) -> None:
    site = playbooks.site
    rc, stats, said = playbooks.run("flock_on.yml", "--limit", "p220", "--check")
    assert rc == 0 and stats["p220"]["changed"] == 2, said
    assert states(site) == {"p220": "on", "p221": "on", "f220": "drained"}
    rc, stats, said = playbooks.run("flock_on.yml", "--limit", "p220")
    assert rc == 0 and stats["p220"]["changed"] == 2, said
    assert states(site) == {"p220": "drained", "p221": "on", "f220": "on"}
    cluster = site.running("f220", 300)
    rc, stats, said = playbooks.run("flock_off.yml", "--limit", "p220", "-e", "flock_off_wait=3")
    assert rc != 0 and "Not taken back: f220: not seen there in time" in said
    assert states(site)["p220"] == "drained"
    assert site.pool.job(site.cm, cluster)["JobStatus"] == RUNNING
    rc, stats, said = playbooks.run("flock_off.yml", "--limit", "p220", "-e", "flock_off_how=fast")
    assert rc == 0, said
    assert states(site) == {"p220": "on", "p221": "on", "f220": "drained"}
    rc, stats, said = playbooks.run("flock_off.yml", "--limit", "p220")
    assert rc == 0 and stats["p220"]["changed"] == 0, said


def test_busy_and_unknown_nodes_are_left_to_local_work_and_named(playbooks: Playbooks) -> None:
    site = playbooks.site
    cluster = site.running("p220", 300)
    rc, _, said = playbooks.run("flock_on.yml", "-e", "flock_on_wait=3")
    assert rc != 0
    assert "Not lent: f221 is not known to the collector; p220: p220 runs something" in said
    assert states(site) == {"p220": "on", "p221": "on", "f220": "drained"}
    assert site.pool.job(site.cm, cluster)["JobStatus"] == RUNNING
    assert site.pool.job(site.cm, cluster)["NumShadowStarts"] == 1
