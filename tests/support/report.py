"""The dated report of a target of targets, as a page for docs/reports: report NAME, after `make NAME`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from .slowest import COUNT, Part, targets

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / "docs" / "reports"


def commit() -> str:
    """The work tree's commit, and whether there is more."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip() or "unknown"


def host() -> str:
    """The machine that ran it."""
    return f"Host: {os.cpu_count()} cores, Linux {platform.release()}"


def page(name: str, ran: dict[Part, list[Part]], day: str, version: str) -> str:
    """The report as Markdown. ``ran``: the targets, with its parts."""
    failed = [part for part in ran if part[1] != "passed"]
    everything = [part for found in ran.values() for part in found]
    rows = [f"| `{label}` | {outcome} | {seconds:.0f} s | {_counts(found)} |" for (seconds, outcome, label), found in ran.items()]
    lines = [
        f"# `make {name}`, {day}",
        "",
        f"Commit {version}: {len(ran) - len(failed)} of {len(ran)} targets passed in"
        f" {sum(part[0] for part in ran) / 60:.0f} min.",
        f"{host()}.",
        "",
        "| target | outcome | took | parts |",
        "|---|---|---|---|",
        *rows,
        "",
        "The slowest:",
        "",
        "| part | outcome | took |",
        "|---|---|---|",
        *(_row(part) for part in sorted(everything, reverse=True)[:COUNT]),
    ]
    others = [part for part in everything if part[1] != "passed"]
    if others:
        lines += ["", "Not passed:", "", "| part | outcome | took |", "|---|---|---|", *map(_row, others)]
    return "\n".join([*lines, ""])


def _counts(found: list[Part]) -> str:
    counts = Counter(outcome for _, outcome, _ in found)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def _row(part: Part) -> str:
    seconds, outcome, label = part
    return f"| `{label.replace('|', '/')}` | {outcome} | {seconds:.0f} s |"


def main(name: str) -> Path:
    """Write today's report of a target; its path."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path = DIRECTORY / f"{name}-{day}.md"
    path.write_text(page(name, targets(name), day, commit()))
    return path


if __name__ == "__main__":
    print(f"report: {main(sys.argv[1])}")
