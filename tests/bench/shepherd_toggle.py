# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast the shepherd commands nodes: `python -m tests.bench.shepherd_toggle`, as root.

40 real masters with a startd each are drained and given back, and their startds are switched off and on again: by the daemon's
sender with its killable workers, by either transport, and by the command line's tools one after the other. A command counts when
it was taken; whether it came to pass is seen in the ads before the next round, and its time is not part of the figures.

Once more with another node whose startd is stopped (SIGSTOP): the healthy ones' time beside the same without it.
"""

from __future__ import annotations

import json
import signal
import statistics
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from tests.bench.figures import Figure, at_least, at_most, shown
from tests.bench.shepherd_pool import BenchPool, say

TARGETS = 40
ACTIONS = 1000
DEADLINE = 20
"""seconds for one command, the shepherd's default"""
DEADLINES_HUNG = {"bindings": 4, "tools": 8}
"""the same beside a hung node, each round of which lasts so long; the healthy ones' time does not depend on it"""
TRANSPORTS = ("bindings", "tools")
LOOPS = 2
"""pairs of rounds of the loop, and of the slower transport: normalised by the number of actions"""
SWITCHES = 4
"""pairs of rounds of off and on"""
HUNG = {"bindings": 10, "tools": 5}
"""pairs of rounds with a hung node, and as many without; more where a round takes less than a tenth of a second"""
DRAINS, OFFS = ("drain", "cancel_drain"), ("stop", "start")


def configuration(transport: str, deadline: float) -> dict[str, Any]:
    """The shepherd's, with the default number of nodes that are commanded at a time."""
    return {"pool": {"transport": transport, "flock_collector": "", "settle": 0, "timeout": deadline}}


def rounds(way: str, verbs: Iterable[str], *, hung: bool = False, first: bool = False) -> list[dict[str, Any]]:
    """Two rounds, of two verbs. ``first``: not part of the figures: processes are started and sessions made."""
    return [{"way": way, "verb": verb, "hung": hung, "first": first} for verb in verbs]


def speed_plan() -> list[dict[str, Any]]:
    """What is run for the figures without a hung node, the ways mixed so that what the machine does meets all of them."""
    pairs = -(-ACTIONS // (2 * TARGETS))
    plan = rounds("bindings", DRAINS, first=True)
    for number in range(pairs):
        plan += rounds("bindings", DRAINS)
        if number % (pairs // LOOPS) == 0:
            plan += rounds("loop", DRAINS) + rounds("tools", DRAINS)
    for _ in range(SWITCHES):
        for way in ("bindings", "loop", "tools"):
            plan += rounds(way, OFFS)
    return plan


def hung_plan() -> list[dict[str, Any]]:
    """Rounds without and with the hung node in turn."""
    plan = []
    for way in TRANSPORTS:
        plan += rounds(way, DRAINS, first=True)
        for _ in range(HUNG[way]):
            plan += rounds(way, DRAINS) + rounds(way, DRAINS, hung=True)
    return plan


def run(bench: BenchPool, plan: list[dict[str, Any]], hung: str, deadlines: Mapping[str, float]) -> list[dict[str, Any]]:
    """Carry out a plan."""
    configurations = {way: configuration(way, deadline) for way, deadline in deadlines.items()}
    request = {"configurations": configurations, "plan": plan, "hung": [hung]}
    done: list[dict[str, Any]] = bench.inside("shepherd_toggle_inside.py", request, timeout=3600)
    assert len(done) == len(plan)
    return done


def chosen(
    done: list[dict[str, Any]], way: str, verbs: Iterable[str], *, hung: bool = False, first: bool = False
) -> list[dict[str, Any]]:
    """The rounds of one way."""
    asked = {"way": way, "hung": hung, "first": first}
    return [each for each in done if each["verb"] in verbs and asked.items() <= each.items()]


def rate(done: list[dict[str, Any]]) -> float:
    """Actions per second, the median of the rounds."""
    return statistics.median(float(each["count"] / each["seconds"]) for each in done)


def words(done: list[dict[str, Any]]) -> str:
    """The same for people."""
    rates = [each["count"] / each["seconds"] for each in done]
    return f"{rate(done):.1f}/s ({min(rates):.1f} to {max(rates):.1f}, {sum(each['count'] for each in done)} actions)"


def speedup(name: str, done: list[dict[str, Any]], way: str, verbs: tuple[str, str], goal: float | None) -> Figure:
    """A ratio of two ways' rates."""
    fast, slow = chosen(done, way, verbs), chosen(done, "loop", verbs)
    tools = "condor_drain" if verbs == DRAINS else "condor_off, condor_on"
    baseline = f"loop of {tools}: {words(slow)}; {way}: {words(fast)}"
    cold = [each for each in chosen(done, way, verbs, first=True) if each["verb"] == verbs[0]]
    if cold:
        baseline += f"; the very first round, with the start of the workers and all sessions to be made: {rate(cold):.1f}/s"
    value = rate(fast) / rate(slow)
    return shown(name, value, "ratio", baseline) if goal is None else at_least(name, value, "ratio", goal, baseline)


def slowed(name: str, done: list[dict[str, Any]], way: str, goal: float) -> Figure:
    """A ratio of the healthy nodes' times with and without a hung one."""
    without, beside = chosen(done, way, DRAINS), chosen(done, way, DRAINS, hung=True)
    baseline = f"{way}, without: {words(without)}; with 1 of {TARGETS + 1} hung: {words(beside)}"
    return at_most(name, rate(without) / rate(beside), "ratio", goal, baseline)


def report(speed: list[dict[str, Any]], hung: list[dict[str, Any]]) -> list[Figure]:
    """The figures."""
    return [
        speedup("toggle_speedup", speed, "bindings", DRAINS, 10),
        speedup("toggle_off_speedup", speed, "bindings", OFFS, 10),
        speedup("toggle_tools_speedup", speed, "tools", DRAINS, None),
        speedup("toggle_tools_off_speedup", speed, "tools", OFFS, None),
        slowed("toggle_hung_ratio", hung, "bindings", 1.2),
        slowed("toggle_tools_hung_ratio", hung, "tools", 1.2),
    ]


def main() -> int:
    """Measure and print."""
    with BenchPool("toggle") as bench:
        names = [f"p{number}" for number in range(220, 221 + TARGETS)]
        for position, name in enumerate(names):
            bench.regular(name)
            if position % 8 == 7:
                # Not all at once: a starting startd has things to find out.
                bench.wait_slots(position + 1)
        bench.wait_slots(len(names))
        say(f"{len(names)} masters and startds run")
        *_, last = names
        bench.masters[last].signal("condor_startd", signal.SIGSTOP)
        speed = run(bench, speed_plan(), last, dict.fromkeys(TRANSPORTS, DEADLINE))
        say(f"{sum(each['count'] for each in speed)} actions without a hung node")
        hung = run(bench, hung_plan(), last, DEADLINES_HUNG)
    print(json.dumps(report(speed, hung), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
