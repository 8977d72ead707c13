# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the switch of role execute_node costs: `python -m tests.bench.execute`, as root.

Latency and clean-up are measured with a stand-in for the starter, so that HTCondor's own time is no part of them; the
throughput with real HTCondor, the same node with and without the switch in turn.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pool"))

from condor_harness import build_execute_root
from execute_point import SETTINGS, ExecutePoint
from switch_site import install

from tests.bench.figures import Figure, at_least, at_most, shown

DRIVERS = ("newuidmap",)
ROUNDS = 5
CALLS = 20
"""calls of each way in each round; the figure is the median of all"""
JOBS = 200
TURNS = 2
"""runs of the 200 jobs with the switch, and as many without"""
STRAYS = 50
INSIDE = "/run/execute_inside.py"
# Its environment is where the switch learns which HTCondor it belongs to.
STARTER = (
    "CONDOR_CONFIG=/srv/condor/p220/condor_config setpriv --reuid condor --regid condor --clear-groups "
    f"bash -c 'exec -a condor_starter python3 {INSIDE} \"$@\"' - "
)
SHORT = "request_memory = 16\nrequest_disk = 64\n"


def say(text: str) -> None:
    """Tell of progress, on standard error."""
    print(f"bench execute: {text}", file=sys.stderr, flush=True)


def inside(site: ExecutePoint, what: str, count: int) -> list[float]:
    """Milliseconds of each call, from the stand-in for the starter."""
    answer = site.world.run(["sh", "-c", f"{STARTER} {what} {count}"], timeout=600)
    found: list[float] = json.loads(answer.stdout)
    return found


def use(site: ExecutePoint, driver: str) -> None:
    """Have the switch use a driver."""
    lines = site.world.read(SETTINGS).splitlines()
    kept = [line for line in lines if not line.startswith("driver = ")]
    site.world.write(SETTINGS, "\n".join([*kept, f"driver = {driver}"]) + "\n")


def latency(site: ExecutePoint) -> dict[str, list[float]]:
    """Milliseconds of fork and exec alone, and of each driver, all ways in every round."""
    found: dict[str, list[float]] = {"plain": [], **{driver: [] for driver in DRIVERS}}
    for number in range(ROUNDS):
        found["plain"] += inside(site, "plain", CALLS)
        for driver in DRIVERS:
            use(site, driver)
            found[driver] += inside(site, "switch", CALLS)
        say(f"latency, round {number + 1} of {ROUNDS}")
    return found


def cleanup(site: ExecutePoint) -> dict[str, list[float]]:
    """Seconds from the job's end to the end of its last process, with strays that ignore SIGTERM."""
    found = {}
    for driver in DRIVERS:
        use(site, driver)
        found[driver] = [ms / 1000 for ms in inside(site, f"strays={STRAYS}", ROUNDS)]
    return found


def jobs_per_second(site: ExecutePoint, wrapper: bool) -> float:
    """Run 200 short jobs to their end on the node."""
    site.p220.configure("" if wrapper else "USER_JOB_WRAPPER =", "90-bench.conf")
    description = f"executable = /bin/true\ntransfer_executable = false\nshould_transfer_files = yes\n{SHORT}queue {JOBS}\n"
    started = time.monotonic()
    cluster = site.pool.submit(site.cm, description)
    site.pool.wait(lambda: not left(site, cluster), f"the end of {JOBS} jobs", 900)
    return JOBS / (time.monotonic() - started)


def left(site: ExecutePoint, cluster: str) -> str:
    """The jobs of a cluster that are still in the queue."""
    return site.cm.run(["condor_q", cluster, "-af", "ProcId"], check=False).stdout.strip()


def throughput(site: ExecutePoint) -> dict[bool, list[float]]:
    """Jobs per second without and with the switch, in turn."""
    found: dict[bool, list[float]] = {False: [], True: []}
    use(site, "newuidmap")
    for _ in range(TURNS):
        for wrapper in (False, True):
            found[wrapper].append(jobs_per_second(site, wrapper))
            say(f"{JOBS} jobs {'with' if wrapper else 'without'} the switch: {found[wrapper][-1]:.2f}/s")
    return found


def report(times: dict[str, list[float]], ends: dict[str, list[float]], rates: dict[bool, list[float]]) -> list[Figure]:
    """The figures."""
    plain = statistics.median(times["plain"])
    figures = []
    for driver in DRIVERS:
        added = statistics.median(times[driver]) - plain
        name = "switch_latency_ms" if driver == "newuidmap" else f"switch_latency_ms_{driver}"
        baseline = f"fork and exec of /bin/true: {plain:.1f} ms; {len(times[driver])} calls, least {min(times[driver]):.1f} ms"
        figures.append(at_most(name, added, "ms", 20, baseline, digits=1))
    with_it, without = statistics.median(rates[True]), statistics.median(rates[False])
    baseline = f"{JOBS} jobs without the switch: {without:.2f}/s; with: {with_it:.2f}/s; {TURNS} runs each"
    figures.append(at_least("switch_throughput_ratio", with_it / without, "ratio", 0.9, baseline))
    for driver in DRIVERS:
        name = "cleanup_s" if driver == "newuidmap" else f"cleanup_s_{driver}"
        worst = max(ends[driver])
        figures.append(at_most(name, worst, "s", 1, f"{STRAYS} strays that ignore SIGTERM; worst of {ROUNDS}", digits=3))
    figures.append(shown("switch_of_the_talk_s", 5, "s", "'of the order of 5 seconds': the talk on privilege separation"))
    return figures


def main() -> int:
    """Measure and print the figures as JSON."""
    with ExecutePoint(build_execute_root("trixie"), "NUM_CPUS = 4") as site:
        install(site)
        site.world.write(INSIDE, (Path(__file__).parent / "execute_inside.py").read_text())
        figures: list[Any] = report(latency(site), cleanup(site), throughput(site))
    json.dump(figures, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
