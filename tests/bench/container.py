# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures of the flocking container on this host's kernel: `python -m tests.bench.container`, as root.

Each beside its baseline, measured in the same run: an execution point without a container, of the whole Debian package.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from tests.bench.container_rig import Rig
from tests.bench.figures import Figure, at_most

ROUNDS = 3
IDLE_SECONDS = 15


def beside(name: str, value: float, unit: str, goal: float, baseline: float) -> Figure:
    """Return a figure with an upper limit beside the same of the execution point without a container."""
    return at_most(name, value, unit, goal, f"{baseline:.1f} {unit} without a container", digits=1)


def proportional_mib(pids: list[int]) -> float:
    """Memory of processes, shared pages by their share, in MiB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def plain_start(rig: Rig, number: int) -> tuple[float, float]:
    """Seconds until the slot of an execution point without a container is seen, and its idle memory in MiB."""
    name = f"plain{number}"
    master = rig.pool.add_master(name, "DAEMON_LIST = MASTER, STARTD", collector="10.27.2.1")
    begin = time.monotonic()
    master.start()
    rig.pool.wait(lambda: [ad for ad in rig.pool.ads(attributes=["Name"]) if name in ad["Name"]], f"the slot of {name}", 40)
    seconds = time.monotonic() - begin
    time.sleep(IDLE_SECONDS if number == 0 else 0)
    memory = proportional_mib(master.pids())
    master.kill()
    return seconds, memory


def container_start(rig: Rig, number: int) -> tuple[float, float]:
    """The same for the container: the whole start, with its scratch, and what its control group is charged with."""
    seconds = rig.start()
    time.sleep(IDLE_SECONDS if number == 0 else 0)
    used = rig.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "flock_startd").stdout.split("/")[0].strip()
    memory = float(used.removesuffix("MiB"))
    rig.script("stop")
    rig.script("clean")
    rig.forget()
    return seconds, memory


def whole_root_mib(root: Path) -> float:
    """Size of the files of the whole Debian root with HTCondor, in MiB."""
    return sum(path.lstat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink()) / 2**20


def main() -> int:
    """Measure and print the list."""
    with Rig() as rig:
        plain, contained = [], []
        for number in range(ROUNDS):
            plain.append(plain_start(rig, number))
            contained.append(container_start(rig, number))
        figures = [
            beside(
                "startd_visible_s",
                statistics.median(seconds for seconds, _memory in contained),
                "s",
                10,
                statistics.median(seconds for seconds, _memory in plain),
            ),
            beside("container_idle_mib", contained[0][1], "MiB", 32, plain[0][1]),
            beside("image_mb", rig.image.unpacked_mib * 2**20 / 1e6, "MB", 200, whole_root_mib(rig.pool.root.path) * 2**20 / 1e6),
        ]
    json.dump(figures, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
