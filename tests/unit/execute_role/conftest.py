"""Role execute_node's own variables, evaluated as Ansible does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from execute_values import ASKED, HOST, ROLE
from role_evaluation import Evaluate, evaluation


@pytest.fixture(scope="session")
def evaluate() -> Iterator[Evaluate]:
    """``evaluate(expression, **variables)``: what a task of the role would have."""
    with evaluation(ROLE, {"inventory_hostname": "p220", "execute_node__asked": ASKED, "execute_host": HOST}) as evaluate:
        yield evaluate


@pytest.fixture(scope="session")
def template(evaluate: Evaluate) -> Evaluate:
    """``template(name, **variables)``: the text that the role writes."""

    def text(name: str, **variables: Any) -> str:
        return str(evaluate(f"{{{{ lookup('ansible.builtin.template', '{name}') }}}}", **variables))

    return text
