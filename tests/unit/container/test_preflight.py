"""What role macvlan asks of a node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from role_evaluation import evaluation

ROLE = Path(__file__).resolve().parents[3] / "roles" / "macvlan"


def checks() -> list[dict[str, str]]:
    tasks = yaml.safe_load((ROLE / "tasks" / "preflight.yml").read_text())
    [loop] = [task["loop"] for task in tasks if "loop" in task]
    return list(loop)


def refused(**host: Any) -> list[str]:
    """The sentences about a node that is as this one."""
    offers = {"user_namespaces": 1000, "dockerd": "", "docker": "", **host}
    known = {
        "inventory_hostname": "p220",
        "flock_plan": {"container": {"runtime": ""}},
        "ansible_facts": {"container_host": offers},
    }
    with evaluation(ROLE, known) as evaluate:
        answers = {" ".join(evaluate(check["message"]).split()): evaluate(check["holds"]) for check in checks()}
    assert {type(holds) for holds in answers.values()} == {bool}, "Ansible takes nothing else as a condition"
    return [message for message, holds in answers.items() if not holds]


@pytest.mark.parametrize(("dockerd", "docker"), [("", ""), ("/usr/sbin/dockerd", "/usr/bin/docker"), ("", "/usr/bin/docker")])
def test_an_engine_with_its_client_or_none_will_do(dockerd: str, docker: str) -> None:
    assert refused(dockerd=dockerd, docker=docker) == []


def test_an_engine_without_its_client_is_one_sentence() -> None:
    assert refused(dockerd="/usr/sbin/dockerd") == [
        "p220 has /usr/sbin/dockerd and no docker: expected Docker's client beside it (Debian 13: package docker-cli)"
    ]


def test_a_host_without_user_namespaces_is_one_sentence() -> None:
    [sentence] = refused(user_namespaces=0)
    assert sentence.startswith("sysctl user.max_user_namespaces of p220 is 0: expected more than 0")
