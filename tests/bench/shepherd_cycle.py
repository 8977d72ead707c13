# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cycle of the shepherd costs with up to 10,000 nodes: `python -m tests.bench.shepherd_cycle`, as root.

A real collector holds one slot's ad for each of two startds of a node and their masters' ads, made of those of real daemons. The
daemon's own worker runs whole cycles (read, match idle jobs, decide, save its memory); in turn with it the bindings alone ask for
the same slots with the same projection. Nothing is to be done in these cycles: half of the nodes are lent, half are not.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

from tests.bench.figures import Figure, at_most
from tests.bench.shepherd_ads import Kind, Template, names, nodes, several
from tests.bench.shepherd_pool import CENTRAL_MANAGER, COMMAND_TOKENS, OPEN_FOR, BenchPool, say

SIZES = (100, 1000, 10_000)
PAIRS = 20
CYCLES = 200
LEAST_ATTRIBUTES = 140
GROWTH = 5
"""MB between the marks that are no growth: what the allocator keeps of an answer varies by as much"""
REAL, LENT = 2, 1
"""real nodes, and which of them is lent"""
CONFIGURATION: dict[str, Any] = {
    # Never low for long enough, and never high: nothing moves.
    "settings": {"low_cycles": 10**6, "high": 10**6, "collector_age": 0, "lag": 1},
    "pool": {"flock_collector": "", "settle": 0, "stale_after": 3600},
    "state_directory": "/var/lib/shepherd",
}
KINDS_OF_JOBS = (
    "request_cpus = 1\nrequest_memory = 512\n",
    'request_cpus = 4\nrequest_memory = 2048\nrequirements = TARGET.OpSysAndVer == "Debian13"\n',
)
JOBS_OF_A_KIND = 500
DIFFERENT = 3000
"""jobs no two of which ask for the same memory and disk"""


class Population:
    """A pool whose collector holds as many nodes as asked for: two real ones, lent and not, and made ones after them."""

    def __init__(self, bench: BenchPool) -> None:
        self.bench = bench
        for number in range(REAL):
            regular, flocking = names(number)
            bench.regular(regular)
            bench.flocking(flocking, regular)
        bench.wait_slots(2 * REAL)
        self._lend(LENT)
        self.kinds = [self._kind(number) for number in range(REAL)]

    def _lend(self, number: int) -> None:
        """Bring a real node into the state that the shepherd brings one into that it lends."""
        cm, now = self.bench.cm, int(time.time())
        regular, flocking = (f"{name}.site.test" for name in names(number))
        cm.run(["condor_drain", "-graceful", "-reason", f"shepherd/{now}:flock", regular])
        self.bench.pool.world.write("/tmp/open.ad", f"FlockOpenUntil = {now + OPEN_FOR}\n")
        command = ["condor_update_machine_ad", "-name", flocking, "/tmp/open.ad"]
        cm.run(command, env={"_CONDOR_SEC_TOKEN_DIRECTORY": COMMAND_TOKENS})
        self.bench.pool.wait(lambda: self._is_lent(regular, flocking), "a lent node in the ads")

    def _is_lent(self, regular: str, flocking: str) -> bool:
        ads = {ad["Machine"]: ad for ad in self.bench.ads("-slots", "Machine", "State", "FlockOpenUntil")}
        return ads[regular].get("State") == "Drained" and ads[flocking].get("FlockOpenUntil", 0) > time.time()

    def _template(self, kind: str, host: str) -> Template:
        constraint = f'Machine == "{host}.site.test"'
        if kind == "-master":
            # Its first ad comes before it has started its startd.
            constraint += " && STARTD_StartTime > 0"
        command = ["condor_status", kind, "-long", "-constraint", constraint]

        def ad() -> str:
            return self.bench.cm.run(command, check=False).stdout.strip()

        text = self.bench.pool.wait(ad, f"the {kind} ad of {host}")
        return Template(host, CENTRAL_MANAGER, text)

    def _kind(self, number: int) -> Kind:
        sides = names(number)
        slots = [self._template("-slots", side) for side in sides]
        masters = [self._template("-master", side) for side in sides]
        return Kind(*slots, *masters)

    def grow(self, count: int) -> None:
        """Add nodes until there are as many; those that are there already have newer ads then."""
        slots, masters = nodes(self.kinds, range(REAL, count), int(time.time()))
        for command, ads in (("UPDATE_STARTD_AD", slots), ("UPDATE_MASTER_AD", masters)):
            self.bench.pool.world.write("/tmp/many.ads", several(ads))
            self.bench.cm.run(["condor_advertise", "-multiple", "-tcp", command, "/tmp/many.ads"], timeout=600)
        wanted = 2 * count
        self.bench.wait_slots(wanted)
        self.bench.pool.wait(lambda: len(self.bench.ads("-master", "STARTD_StartTime")) >= wanted, f"{wanted} masters", 300)


def wait_idle(bench: BenchPool, count: int) -> None:
    """Wait until the access point's ad has so many idle jobs."""
    bench.pool.wait(
        lambda: [ad for ad in bench.ads("-schedd", "TotalIdleJobs") if ad.get("TotalIdleJobs") == count],
        f"{count} idle jobs",
        300,
    )


def submit_different(bench: BenchPool) -> None:
    """Local jobs that are all different, besides those that are there."""
    asked = "\n".join(f"{256 + number} {1024 * (100 + number % 7)}" for number in range(DIFFERENT))
    wants = "request_memory = $(memory)\nrequest_disk = $(disk)\n"
    queue = f"queue memory,disk from (\n{asked}\n)\n"
    bench.pool.submit(bench.cm, f"executable = /usr/bin/sleep\ntransfer_executable = false\n{wants}{queue}")
    wait_idle(bench, JOBS_OF_A_KIND * len(KINDS_OF_JOBS) + DIFFERENT)


def submit(bench: BenchPool) -> None:
    """Local jobs that wait; without a negotiator none starts."""
    bench.pool.wait(lambda: bench.ads("-schedd", "Name"), "the access point in the collector")
    bench.pool.world.run(["install", "-d", "-m", "0755", CONFIGURATION["state_directory"]])
    for kind in KINDS_OF_JOBS:
        bench.pool.submit(bench.cm, f"executable = /usr/bin/sleep\ntransfer_executable = false\n{kind}queue {JOBS_OF_A_KIND}\n")
    wait_idle(bench, JOBS_OF_A_KIND * len(KINDS_OF_JOBS))


def check(result: dict[str, Any], count: int, jobs: int) -> None:
    """Raise AssertionError unless the cycles were about all that is there."""
    last = result["last"]
    states = {state: number for state, number in last["states"].items() if number}
    assert result["ads"] == 2 * count, f"{result['ads']} slots were read: expected {2 * count}"
    assert states == {"local": count // 2, "flock": count // 2}, f"states are {states}"
    assert last["cycle"]["idle_jobs"] == jobs, last["cycle"]


def spread(values: list[float]) -> str:
    """Median and extremes of seconds."""
    return f"{statistics.median(values):.3f} s ({min(values):.3f} to {max(values):.3f}, {len(values)} times)"


def cycles_of(bench: BenchPool, pairs: int, cycles: int) -> dict[str, Any]:
    """Cycles, the first ones beside bare queries."""
    request = {"configuration": CONFIGURATION, "pairs": pairs, "cycles": cycles, "marks": [pairs, cycles], "deadline": 60}
    result: dict[str, Any] = bench.inside("shepherd_cycle_inside.py", request, timeout=1800)
    return result


def measure(population: Population, count: int, cycles: int, jobs: int = JOBS_OF_A_KIND * len(KINDS_OF_JOBS)) -> dict[str, Any]:
    """Cycles with that many nodes in the collector and jobs in the queue."""
    population.grow(count)
    # What has no newer ad than the first that was seen may have been sent anything: it is seen, and then has one.
    cycles_of(population.bench, 1, 1)
    population.grow(count)
    say(f"{count} nodes are in the collector")
    result = cycles_of(population.bench, PAIRS, cycles)
    check(result, count, jobs)
    say(f"cycle {spread(result['cycles'][:PAIRS])}, query {spread(result['queries'])}")
    return result


def megabytes(mark: dict[str, dict[str, int]], when: str) -> float:
    """All processes of the worker together."""
    return sum(each[when] for each in mark.values()) * 1024 / 1e6


def report_different(result: dict[str, Any]) -> list[Figure]:
    """The figures with jobs that are all different."""
    ratio = statistics.median(result["cycles"][:PAIRS]) / statistics.median(result["queries"])
    mark = {int(number): each for number, each in result["memory"].items()}[PAIRS]
    parts = ", ".join(f"{name} {each['most'] * 1024 / 1e6:.0f}" for name, each in mark.items())
    beside = f"{DIFFERENT} kinds of idle jobs; query {spread(result['queries'])}; cycle {spread(result['cycles'][:PAIRS])}"
    return [
        at_most("cycle_10k_kinds_ratio", ratio, "ratio", 3, beside),
        at_most("cycle_10k_kinds_rss_mb", megabytes(mark, "most"), "MB", 200, f"peak of both processes together: {parts}"),
    ]


def report(results: dict[int, dict[str, Any]], attributes: int) -> list[Figure]:
    """The figures."""
    most, median = max(results), statistics.median
    big = results[most]
    cycle = {count: median(result["cycles"][:PAIRS]) for count, result in results.items()}
    ratio = cycle[most] / median(big["queries"])
    marks = {int(number): mark for number, mark in big["memory"].items()}
    early, late = megabytes(marks[PAIRS], "now"), megabytes(marks[CYCLES], "now")
    peak = megabytes(marks[CYCLES], "most")
    parts = ", ".join(f"{name} {each['most'] * 1024 / 1e6:.0f}" for name, each in marks[CYCLES].items())
    per_node = {count: seconds / count for count, seconds in cycle.items()}
    linear = per_node[most] / per_node[SIZES[1]]
    costs = ", ".join(f"{count}: {cycle[count]:.3f} s, {per_node[count] * 1e6:.0f} us a node" for count in sorted(cycle))
    ads = f"{big['ads']} slots' ads of {attributes} attributes"
    bare = f"htcondor2 query, same projection, {spread(big['queries'])}; cycle {spread(big['cycles'][:PAIRS])}; {ads}"
    memory = f"{early:.1f} MB after {PAIRS} cycles, {late:.1f} MB after {CYCLES}"
    return [
        at_most("cycle_10k_ratio", ratio, "ratio", 3, bare),
        at_most("cycle_10k_rss_mb", peak, "MB", 200, f"peak of both processes together: {parts}"),
        at_most("cycle_10k_rss_growth_mb", late - early, "MB", GROWTH, memory),
        at_most("cycle_cost_linearity", linear, "ratio", 1.5, costs),
    ]


def main() -> int:
    """Measure and print."""
    with BenchPool("cycle") as bench:
        population = Population(bench)
        submit(bench)
        attributes = min(each.attributes for kind in population.kinds for each in (kind.regular, kind.flocking))
        assert attributes >= LEAST_ATTRIBUTES, f"the ads have {attributes} attributes: expected {LEAST_ATTRIBUTES} or more"
        results = {}
        for count in SIZES:
            results[count] = measure(population, count, CYCLES if count == max(SIZES) else PAIRS)
        submit_different(bench)
        different = measure(population, max(SIZES), PAIRS, JOBS_OF_A_KIND * len(KINDS_OF_JOBS) + DIFFERENT)
    print(json.dumps([*report(results, attributes), *report_different(different)], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
