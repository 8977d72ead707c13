"""Playbooks against the lab, with their results."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "build" / "reports"
#: What teardown wants when it is no check.
CONSENT = ("--extra-vars", "flock_teardown_consent=true")


@dataclass(frozen=True)
class Result:
    """What one run of a playbook did."""

    name: str
    returncode: int
    seconds: float
    #: (host, task) of every task that changed something, or in check mode would.
    changed: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str, str], ...]
    tasks: dict[str, int] = field(default_factory=dict)
    #: Lines of diff of each host as Ansible prints them, with --diff.
    diff_lines: dict[str, int] = field(default_factory=dict)

    def said(self) -> str:
        """Return one line for people."""
        counts = ", ".join(f"{host} {count}" for host, count in sorted(self.tasks.items()))
        lines = ", ".join(f"{host} {count}" for host, count in sorted(self.diff_lines.items()))
        return f"{self.name}: {self.seconds:.0f} s, {len(self.changed)} changed, {len(self.failed)} failed; tasks: {counts}" + (
            f"; lines of diff: {lines}" if lines else ""
        )


def play(name: str, *arguments: str, label: str = "") -> Result:
    """Run playbooks/NAME.yml against the lab; keep its whole output in build/reports."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    label = label or name
    report = REPORTS / f"{label}.json"
    command = [str(ROOT / "build/venv/bin/ansible-playbook"), f"playbooks/{name}.yml", *arguments]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "lab" / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "PATH": f"{ROOT / 'build/venv/bin'}:{os.environ.get('PATH', '')}",
    }
    started = time.monotonic()
    with report.open("w") as output, (REPORTS / f"{label}.err").open("w") as errors:
        run = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=errors, stdin=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    result = _result(label, run.returncode, seconds, report.read_text())
    print(result.said(), flush=True)
    for host, task, message in result.failed:
        print(f"  {host}: {task}: {message}", flush=True)
    return result


def _said(outcome: dict[str, Any]) -> str:
    """Return why a task failed; of a loop what its failed items say."""
    items = [item for item in outcome.get("results", []) if isinstance(item, dict) and item.get("failed")]
    return " ".join(_said(item) for item in items) if items else str(outcome.get("msg", outcome))


def _lines(outcome: dict[str, Any]) -> int:
    """Return how many lines of diff Ansible's own output has for a task."""
    parts = [each.get("diff") for each in (outcome, *outcome.get("results", ())) if isinstance(each, dict)]
    return sum(len(CallbackBase()._get_diff(part).splitlines()) for part in parts if part)


def _result(name: str, returncode: int, seconds: float, text: str) -> Result:
    start = text.find("{\n")
    data: dict[str, Any] = json.loads(text[start:]) if start >= 0 else {"plays": []}
    changed: list[tuple[str, str]] = []
    failed: list[tuple[str, str, str]] = []
    tasks: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for one in data["plays"]:
        for task in one["tasks"]:
            for host, outcome in task["hosts"].items():
                if outcome.get("skipped"):
                    continue
                tasks[host] += 1
                lines[host] += _lines(outcome)
                if outcome.get("changed"):
                    changed.append((host, task["task"]["name"]))
                if outcome.get("failed") or outcome.get("unreachable"):
                    failed.append((host, task["task"]["name"], _said(outcome)[:500]))
    return Result(name, returncode, seconds, tuple(changed), tuple(failed), dict(tasks), dict(+lines))
