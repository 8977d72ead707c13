"""The ten slowest parts of a target that has run: slowest NAME; what a target of targets ran is looked into."""

from __future__ import annotations

import sys
from pathlib import Path

TIMES = Path(__file__).resolve().parents[2] / "build" / "times"
COUNT = 10
_TARGET = "make "

Part = tuple[float, str, str]
"""Seconds, outcome and name."""


def noted(name: str, directory: Path = TIMES) -> list[Part]:
    """What a target has noted; nothing when it has not run."""
    path = directory / f"{name}.tsv"
    rows = [line.split("\t", 2) for line in path.read_text().splitlines()] if path.exists() else []
    return [(float(seconds), outcome, label) for seconds, outcome, label in rows]


def targets(name: str, directory: Path = TIMES) -> dict[Part, list[Part]]:
    """The targets that a target ran, with what each of them has noted."""
    return {
        part: noted(part[2].removeprefix(_TARGET), directory) for part in noted(name, directory) if part[2].startswith(_TARGET)
    }


def table(name: str, directory: Path = TIMES) -> list[str]:
    """The lines to print; none for a target that has noted nothing."""
    inner = targets(name, directory)
    found = [part for parts in inner.values() for part in parts] or noted(name, directory)
    slowest = sorted(found, reverse=True)[:COUNT]
    if not found:
        return []
    return [
        *(f"--- {label}: {outcome}, {seconds:.0f} s" for seconds, outcome, label in inner),
        f"--- {name}: the slowest {len(slowest)} of {len(found)}, {sum(part[0] for part in found):.0f} s of work in all",
        *(f"{seconds:8.1f} s  {outcome:7} {label}" for seconds, outcome, label in slowest),
    ]


if __name__ == "__main__":
    print("\n".join(table(sys.argv[1])), flush=True)
