# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replay loads under several controllers: `python -m tests.bench.policy`. Prints a JSON list of figures.

The table goes to standard error.

``SHEEPFOLD_TRACE``: a trace in the Standard Workload Format to replay too; ``SHEEPFOLD_TRACE_PLANT``: its nodes and cores of
each, like ``120x2``. Without it these rows are left out.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from plugins.module_utils.shepherd.simulate.simulation import Plant
from plugins.module_utils.shepherd.simulate.trace_file import read

from .loads import Load, satellite_site
from .runs import Figures, compare
from .table import judged, markdown

SEEDS = (1, 2, 3)
TRACE, PLANT = "SHEEPFOLD_TRACE", "SHEEPFOLD_TRACE_PLANT"


def say(text: str) -> None:
    """Tell people, apart from the figures."""
    print(text, file=sys.stderr, flush=True)


def trace(path: str, plant: str) -> Load:
    """Read a trace. ``plant``: nodes and cores of each, like 120x2."""
    try:
        nodes, cores = (int(word) for word in plant.split("x"))
    except ValueError:
        sys.exit(f"{PLANT} is {plant!r}: expected nodes and cores of each, like 120x2")
    jobs = sorted(read(path), key=lambda job: job.submitted)
    return Load(
        f"trace {Path(path).name.partition('.')[0]}", tuple(jobs), Plant(nodes, cores), jobs[-1].submitted - jobs[0].submitted, 1
    )


def loads() -> Iterator[Load]:
    """Yield one load after the other: each takes a lot of memory."""
    for seed in SEEDS:
        yield satellite_site(seed)
    path = os.environ.get(TRACE)
    if path:
        yield trace(path, os.environ.get(PLANT, "120x2"))
    else:
        say(f"{TRACE} names no trace: its rows are left out")


def main() -> None:
    """Replay and print."""
    rows: list[Figures] = []
    for load in loads():
        begun = time.monotonic()
        for row in compare(load):
            rows.append(row)
            say(
                f"{row.load}, seed {row.seed}, {row.controller}: harvest {row.harvest_share:.3f}, p95 {row.wait_p95:.2f} cycles, "
                f"badput {row.badput_share:.4f}, {row.toggles:.2f} toggles ({time.monotonic() - begun:.0f} s)"
            )
    say(markdown(rows))
    json.dump(judged(rows), sys.stdout, indent=1)


if __name__ == "__main__":
    main()
