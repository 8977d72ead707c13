"""All figures: `python -m tests.bench`, as root. Prints a table and writes build/bench.json.

Each part is a program that prints a JSON list of {name, value, unit, goal, met, baseline}; every ratio comes from one run
of its part.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("gateway", "gateway_guest", "container", "nodes", "shepherd_cycle", "shepherd_toggle", "execute", "policy")
COLUMNS = ("name", "value", "unit", "goal", "met", "baseline")


def figures(part: str) -> list[dict[str, Any]]:
    """Run one part and return its figures.

    Raises:
        subprocess.CalledProcessError: the part failed; what it said is on standard error.
    """
    print(f"bench: {part} …", file=sys.stderr, flush=True)
    started = time.monotonic()
    run = subprocess.run([sys.executable, "-m", f"tests.bench.{part}"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    print(f"bench: {part}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    found: list[dict[str, Any]] = json.loads(run.stdout)
    # All of them take an hour: who ends that early has these.
    print(table(found), file=sys.stderr, flush=True)
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """Return the figures as a Markdown table."""
    cells = [[f"{row[column]}" for column in COLUMNS] for row in rows]
    widths = [max(len(line[i]) for line in [list(COLUMNS), *cells]) for i in range(len(COLUMNS))]
    lines = [list(COLUMNS), ["-" * width for width in widths], *cells]
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines)


def main() -> int:
    """Measure, print and write; return 0 when every goal is met."""
    rows: list[dict[str, Any]] = []
    failed = []
    for part in sys.argv[1:] or PARTS:
        try:
            rows += figures(part)
        except (subprocess.CalledProcessError, json.JSONDecodeError) as error:
            print(f"bench: {part} failed: {error}", file=sys.stderr)
            failed.append(part)
    print(table(rows))
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(rows, indent=1) + "\n")
    missed = [row["name"] for row in rows if not row["met"]]
    print(f"{len(rows)} figures, {len(missed)} goals missed{': ' + ', '.join(missed) if missed else ''}")
    return 1 if missed or failed else 0


if __name__ == "__main__":
    sys.exit(main())
