# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the switch of role execute_node costs: `python -m tests.bench.execute`, as root.

Latency and clean-up are measured with a stand-in for the starter, so that HTCondor's own time is no part of them; the
throughput with real HTCondor, the same node with and without the switch in turn.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pool"))

from condor_harness import build_execute_root
from execute_point import SETTINGS, ExecutePoint
from userv_site import install

from tests.bench.figures import Figure, at_least, at_most, shown

DRIVERS = ("newuidmap", "userv")
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
_TIME = re.compile(r"\S+ (\d+):(\d+):(\d+\.\d+) ")
WITHOUT = "USER_JOB_WRAPPER =\nSTARTER = /usr/sbin/condor_starter\n"
RECONFIG = 3
"""seconds for the startd to read its configuration again"""
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
    """Milliseconds of fork and exec alone, of each driver, and of a switch that did not stand by, all ways in every round."""
    found: dict[str, list[float]] = {"plain": [], "alone": [], **{driver: [] for driver in DRIVERS}}
    for number in range(ROUNDS):
        found["plain"] += inside(site, "plain", CALLS)
        for driver in DRIVERS:
            use(site, driver)
            found[driver] += inside(site, "switch", CALLS)
        use(site, "newuidmap")
        found["alone"] += inside(site, "alone", CALLS)
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
    site.p220.configure("" if wrapper else WITHOUT, "90-bench.conf")
    site.p220.reconfig()
    time.sleep(RECONFIG)
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


def head_starts(site: ExecutePoint) -> list[float]:
    """Milliseconds from the start of each starter to its job's: for so long a switch can get ready."""
    found = []
    for log in (site.world.root / f"{site.p220.dir}/log".lstrip("/")).glob("StarterLog.slot1_*"):
        begun = None
        for line in log.read_text(errors="replace").splitlines():
            when = _TIME.match(line)
            if when and line.endswith("STARTING UP"):
                begun = _milliseconds(when)
            elif when and begun is not None and "Create_Process succeeded" in line:
                # A day's end is no negative time.
                found.append((_milliseconds(when) - begun) % 86_400_000)
                begun = None
    return found


def _milliseconds(when: re.Match[str]) -> float:
    hours, minutes, seconds = when.groups()
    return (int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000


def report(
    times: dict[str, list[float]], ends: dict[str, list[float]], rates: dict[bool, list[float]], starts: list[float]
) -> list[Figure]:
    """The figures."""
    plain = statistics.median(times["plain"])
    figures = []
    calls = f"{len(times['newuidmap'])} calls, least {min(times['newuidmap']):.1f} ms"
    baseline = f"fork and exec of /bin/true: {plain:.1f} ms; {calls}"
    figures.append(at_most("switch_latency_ms", statistics.median(times["newuidmap"]) - plain, "ms", 20, baseline, digits=1))
    baseline = "driver userv, for which none can stand by; the same fork and exec"
    figures.append(shown("switch_userv_latency_ms", statistics.median(times["userv"]) - plain, "ms", baseline, digits=1))
    baseline = f"the same where none stands by; {len(times['alone'])} calls, least {min(times['alone']):.1f} ms"
    figures.append(shown("switch_alone_latency_ms", statistics.median(times["alone"]) - plain, "ms", baseline, digits=1))
    baseline = (
        f"from a starter's start to its job's, {len(starts)} jobs, least {min(starts):.0f} ms: a switch gets ready meanwhile"
    )
    figures.append(shown("starter_head_start_ms", statistics.median(starts), "ms", baseline, digits=0))
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
    with ExecutePoint(build_execute_root("trixie"), "NUM_CPUS = 4\nSTARTER_DEBUG = D_SUB_SECOND\n") as site:
        install(site)
        site.world.write(INSIDE, (Path(__file__).parent / "execute_inside.py").read_text())
        figures: list[Any] = report(latency(site), cleanup(site), throughput(site), head_starts(site))
    json.dump(figures, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
