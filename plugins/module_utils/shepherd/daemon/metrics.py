# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shepherd's figures for Prometheus, by the client library that the distribution has (python3-prometheus-client)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..config.configuration import Configuration

_EFFECTS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 3600)
_TOOK = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300)


class Metrics:
    """The figures, from cycle to cycle."""

    def __init__(self, library: Any = None, registry: Any = None) -> None:
        """Raises ImportError when the client library is not there and none is given."""
        self._library = library or import_module("prometheus_client")
        self.registry = registry or self._library.CollectorRegistry()
        self._nodes = self._gauge("nodes", "Nodes by state", "state")
        self._cores = self._gauge("cores", "Cores: all that are ours to lend, local, lent, reserve", "kind")
        self._demand = self._gauge("demand_cores", "Cores of idle local jobs that could run here")
        self._idle = self._gauge("idle_jobs", "Idle jobs of the local access points")
        self._wait = self._gauge("local_wait_seconds", "Since when the first idle local job that could run here waits")
        self._frozen = self._gauge("frozen", "1 while everything is held, by reason", "reason")
        self._breaker = self._gauge("breaker", "1 while nothing more is lent because too many commands failed")
        self._off = self._gauge("off", "1 while lending is switched off everywhere")
        self._silenced = self._gauge("silenced_nodes", "Nodes that monitoring was told to be silent about")
        self._last = self._gauge("last_cycle_timestamp_seconds", "When the last cycle was completed that saw the pool")
        self._cycles = self._counter("cycles", "Cycles by result: seen, unseen (the pool did not answer), killed", "result")
        self._commands = self._counter(
            "commands", "Commands to startds by verb and result: taken, refused, failed", "verb", "result"
        )
        self._badput = self._counter("badput_core_hours", "Core hours of foreign jobs that evictions have thrown away")
        self._effects = self._histogram("effect_seconds", "From a decision until its effect was seen", _EFFECTS)
        self._took = self._histogram("cycle_seconds", "How long a cycle took", _TOOK)

    def _gauge(self, name: str, words: str, *labels: str) -> Any:
        return self._library.Gauge(f"shepherd_{name}", words, labels, registry=self.registry)

    def _counter(self, name: str, words: str, *labels: str) -> Any:
        return self._library.Counter(f"shepherd_{name}", words, labels, registry=self.registry)

    def _histogram(self, name: str, words: str, buckets: tuple[float, ...]) -> Any:
        return self._library.Histogram(f"shepherd_{name}", words, (), buckets=buckets, registry=self.registry)

    def cycle(self, found: dict[str, Any]) -> None:
        """A completed cycle, as summary.py has it."""
        self._took.observe(found["took"])
        self._cycles.labels("unseen" if found["error"] else "seen").inc()
        if found["error"]:
            return
        cycle = found["cycle"]
        self._last.set(found["taken"])
        for state, count in found["states"].items():
            self._nodes.labels(state).set(count)
        for kind, name in (("all", "cores"), ("local", "local_cores"), ("lent", "lent_cores"), ("reserve", "reserve_cores")):
            self._cores.labels(kind).set(cycle[name])
        self._demand.set(cycle["demand_cores"])
        self._idle.set(cycle["idle_jobs"])
        self._wait.set(found["local_wait"])
        self._frozen.clear()
        for reason in {kind_of_freeze(reason) for reason in cycle["frozen"]}:
            self._frozen.labels(reason).set(1)
        self._breaker.set(int(cycle["breaker"]))
        self._off.set(int(bool(cycle["off"])))
        self._silenced.set(found["silenced"])
        self._badput.inc(cycle["core_hours_lost"])
        for verb, results in found["sent"].items():
            for result, count in results.items():
                self._commands.labels(verb, result).inc(count)
        for seconds in found["effects"]:
            self._effects.observe(seconds)

    def killed(self) -> None:
        """A cycle that was not completed."""
        self._cycles.labels("killed").inc()

    def text(self) -> str:
        """What Prometheus gets."""
        return str(self._library.generate_latest(self.registry).decode())


def kind_of_freeze(reason: str) -> str:
    """One of a few words for a sentence that has numbers and names in it: labels must not grow without end."""
    for words, kind in (
        # Before the collector, which this one is about too.
        ("mirror", "mirror"),
        ("collector", "collector"),
        ("access point", "access point"),
        ("startds are seen", "fall"),
        ("startds are unknown", "stale"),
        ("clock", "clock"),
    ):
        if words in reason:
            return kind
    return "other"


def serve(configuration: Configuration) -> Metrics:
    """Metrics at the configured address, in a thread of their own. Raises ImportError or OSError."""
    metrics = Metrics()
    if configuration.metrics is not None:
        import_module("prometheus_client").start_http_server(
            configuration.metrics.port, addr=configuration.metrics.address, registry=metrics.registry
        )
    return metrics
