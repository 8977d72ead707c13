"""Role shepherd's own variables, evaluated as Ansible does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from role_evaluation import Evaluate, evaluation
from role_values import ASKED, PLAN, ROLE, SECRETS


@pytest.fixture(scope="session")
def evaluate() -> Iterator[Evaluate]:
    """``evaluate(expression, **variables)``: what a task of the role would have."""
    known = {
        "inventory_hostname": "submit",
        "flock_plan": PLAN,
        "groups": {"flock_central_manager": ["submit"]},
        "hostvars": {"submit": {}, "cm2": {"shepherd_collector": "10.27.1.2:9618"}},
        "shepherd__asked": ASKED,
        "shepherd__looked": {"results": []},
        "shepherd__secrets": SECRETS,
    }
    with evaluation(ROLE, known) as evaluate:
        yield evaluate


@pytest.fixture(scope="session")
def template(evaluate: Evaluate) -> Evaluate:
    """``template(name, **variables)``: the text that the role writes."""

    def text(name: str, **variables: Any) -> str:
        return str(evaluate(f"{{{{ lookup('ansible.builtin.template', '{name}') }}}}", **variables))

    return text
