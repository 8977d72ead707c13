"""Role shepherd's own variables, evaluated as Ansible does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from role_values import Evaluate


@pytest.fixture(scope="session")
def evaluate() -> Iterator[Evaluate]:
    """``evaluate(expression, **variables)``: what a task of the role would have."""
    command = [sys.executable, str(Path(__file__).with_name("role_evaluator.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin
        assert stdout

        def value(expression: str, **variables: Any) -> Any:
            stdin.write(json.dumps({"expression": expression, "variables": variables}) + "\n")
            stdin.flush()
            answer = stdout.readline()
            assert answer, "Ansible could not evaluate it, see the error output"
            return json.loads(answer)

        yield value
        stdin.close()


@pytest.fixture(scope="session")
def template(evaluate: Evaluate) -> Evaluate:
    """``template(name, **variables)``: the text that the role writes."""

    def text(name: str, **variables: Any) -> str:
        return str(evaluate(f"{{{{ lookup('ansible.builtin.template', '{name}') }}}}", **variables))

    return text
