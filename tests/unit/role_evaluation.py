"""A role's own variables, evaluated as a task of it would have them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Evaluate = Callable[..., Any]


@contextlib.contextmanager
def evaluation(role: Path, known: dict[str, Any]) -> Iterator[Evaluate]:
    """``evaluate(expression, **variables)``: its value with these variables beside the role's and what is known of the host."""
    command = [sys.executable, str(Path(__file__).with_name("role_evaluator.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin
        assert stdout
        stdin.write(json.dumps({"role": str(role), "known": known}) + "\n")

        def value(expression: str, **variables: Any) -> Any:
            stdin.write(json.dumps({"expression": expression, "variables": variables}) + "\n")
            stdin.flush()
            answer = stdout.readline()
            assert answer, "Ansible could not evaluate it, see the error output"
            return json.loads(answer)

        yield value
        stdin.close()
