# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What shepherd_toggle.py runs on the central manager: commands to real startds and masters.

Argument: a JSON object with ``configurations`` (the shepherd's, by name), ``hung`` (nodes) and ``plan``, a list of rounds:
``way`` (a configuration's name, or ``loop``), ``verb`` (drain, cancel_drain, stop, start) and ``hung`` (whether the hung nodes
are commanded as well). A round commands every node once and ends when the ads show at every healthy one that it came to pass.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor import goals
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.adapter import Pool
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import How, Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.queues import bindings_of
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import Startd, State
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.act.dispatcher import Commander, Sender
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.act.monitoring import NoMonitoring
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.configuration import Configuration, parse
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cycle import pool_of
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import (
    Decision,
    NodeAction,
    PairState,
    drain_reason,
)

AFTERWARDS = {Verb.DRAIN: State.DRAINED, Verb.CANCEL_DRAIN: State.ON, Verb.STOP: State.OFF, Verb.START: State.ON}
HOW = {Verb.STOP: How.GRACEFUL}
COMMANDS = {
    Verb.DRAIN: 'condor_drain -graceful "$host"',
    Verb.CANCEL_DRAIN: 'condor_drain -cancel "$host"',
    Verb.STOP: 'condor_off -graceful -startd -name "$host"',
    Verb.START: 'condor_on -startd -name "$host"',
}
PATIENCE = 240


class Timed:
    """A commander that notes when each node's command was taken."""

    def __init__(self, inner: Commander, taken: dict[str, float]) -> None:
        self._inner = inner
        self._taken = taken

    def send(self, startd: Startd, action: goals.StartdCommand, drain_reason: str = "") -> None:
        """Send one command. Raises NotEmpty or CondorError."""
        self._inner.send(startd, action, drain_reason)
        self._taken[startd.name] = time.perf_counter()


class BySender:
    """The daemon's way: its sender, kept from one round to the next as the daemon keeps it from one cycle to the next."""

    def __init__(self, configuration: Configuration) -> None:
        self._taken: dict[str, float] = {}
        tools = pool_of(configuration, None)

        def make() -> Commander:
            one_each = configuration.pool.transport == "bindings"
            return Timed(pool_of(configuration, None) if one_each else tools, self._taken)

        self._sender = Sender(make, configuration.pool.at_once, NoMonitoring())

    def round(self, targets: Mapping[str, Startd], verb: Verb, hung: frozenset[str]) -> float:
        """Command all; seconds until the last healthy one had taken its command."""
        self._taken.clear()
        reason = drain_reason(int(time.time())) if verb is Verb.DRAIN else ""
        decisions = [
            Decision(
                name,
                PairState.LOCAL,
                None,
                "benchmark",
                (NodeAction(name, startd, goals.StartdCommand(verb, HOW.get(verb, How.PEACEFUL)), reason),),
            )
            for name, startd in targets.items()
        ]
        began = time.perf_counter()
        sent = self._sender.send(decisions, PATIENCE)
        errors = {result.node: result.error for result in sent.results if result.error}
        if set(errors) != hung or len(sent.results) != len(targets):
            raise SystemExit(f"{len(sent.results)} of {len(targets)} sent, failed: {errors}, expected to fail: {sorted(hung)}")
        return max(self._taken[name] for name in targets if name not in hung) - began


class ByLoop:
    """The command line's way: one tool after the other, in a shell's loop."""

    def round(self, targets: Mapping[str, Startd], verb: Verb, hung: frozenset[str]) -> float:
        """Command all; seconds."""
        script = f'for host in "$@"; do {COMMANDS[verb]} >/dev/null || exit 1; done'
        hosts = [startd.machine for name, startd in targets.items() if name not in hung]
        began = time.perf_counter()
        subprocess.run(["sh", "-c", script, "loop", *hosts], check=True, stdin=subprocess.DEVNULL)
        return time.perf_counter() - began


def settled(pool: Pool, names: frozenset[str], verb: Verb) -> None:
    """Wait until the ads show what the commands were to do, at all of them."""
    until = time.monotonic() + PATIENCE
    while True:
        seen = pool.observe()
        wrong = [name for name in names if name not in seen or seen[name].state is not AFTERWARDS[verb]]
        if not wrong:
            return
        if time.monotonic() > until:
            raise SystemExit(f"not seen {AFTERWARDS[verb].value} after {verb.value}: {', '.join(sorted(wrong))}")
        time.sleep(0.5)


def main() -> None:
    """Run the rounds, and print their seconds and commands as JSON."""
    request: dict[str, Any] = json.loads(sys.argv[1])
    configurations = {name: parse(values) for name, values in request["configurations"].items()}
    ways: dict[str, BySender | ByLoop] = {name: BySender(each) for name, each in configurations.items()}
    ways["loop"] = ByLoop()
    reader = bindings_of(20)
    watch = pool_of(next(iter(configurations.values())), reader)
    hung = frozenset(request["hung"])
    everyone = {name: startd for name, startd in watch.observe().items() if not startd.flocking}
    healthy = {name: startd for name, startd in everyone.items() if name not in hung}
    result = []
    for planned in request["plan"]:
        verb = Verb[planned["verb"].upper()]
        # Addresses change with a restart.
        now = watch.observe()
        targets = {name: now.get(name, startd) for name, startd in (everyone if planned["hung"] else healthy).items()}
        seconds = ways[planned["way"]].round(targets, verb, hung if planned["hung"] else frozenset())
        settled(watch, frozenset(healthy), verb)
        result.append({**planned, "seconds": seconds, "count": len(healthy)})
    if reader is not None:
        reader.close()
    json.dump(result, sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
