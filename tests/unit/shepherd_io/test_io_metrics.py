"""What Prometheus gets of a cycle."""

from __future__ import annotations

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import NoAnswer
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.queues import IdleGroup
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd import summary
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.settings import PolicySettings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cycle import CycleRunner, Report
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.daemon.metrics import Metrics, kind_of_freeze
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide import freeze
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.journal import line
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import Memory, PoolSnapshot
from fake_site import NOW, FakeSite


def run(site: FakeSite, cycle: CycleRunner, metrics: Metrics, count: int = 1) -> Report:
    report = Report()
    for _ in range(count):
        site.later()
        report = cycle.run()
        metrics.cycle(summary.whole(report))
    return report


def test_a_lending(site: FakeSite) -> None:
    cycle, metrics = site.cycle(), Metrics()
    run(site, cycle, metrics, 5)
    lines = metrics.text().splitlines()
    for expected in (
        'shepherd_nodes{state="flock"} 1.0',
        'shepherd_nodes{state="local"} 1.0',
        'shepherd_nodes{state="draining local"} 0.0',
        'shepherd_cores{kind="all"} 8.0',
        'shepherd_cores{kind="lent"} 4.0',
        'shepherd_cores{kind="reserve"} 4.0',
        'shepherd_commands_total{result="taken",verb="drain"} 1.0',
        'shepherd_commands_total{result="taken",verb="open"} 1.0',
        'shepherd_commands_total{result="taken",verb="renew"} 2.0',
        'shepherd_effect_seconds_bucket{le="300.0"} 2.0',
        'shepherd_cycles_total{result="seen"} 5.0',
        f"shepherd_last_cycle_timestamp_seconds {float(NOW + 1500):.10g}",
    ):
        found = [each for each in lines if each.rpartition(" ")[0] == expected.rpartition(" ")[0]]
        assert [float(each.split()[-1]) for each in found] == [float(expected.split()[-1])], expected


def test_badput_and_waiting(site: FakeSite) -> None:
    cycle, metrics = site.cycle(), Metrics()
    run(site, cycle, metrics, 3)
    node = next(node for node in site.nodes.values() if node.open_until)
    node.foreign = [{"Cpus": 2, "JobStart": int(site.time) - 3300}]
    (site.directory / "flockoff").write_text("mode: evict\n")
    site.schedds = [site.schedd("submit.test", 2)]
    site.queue["submit.test"] = [IdleGroup(2, 1, "[x]", int(site.time) - 100)]
    report = run(site, cycle, metrics)
    assert "shepherd_badput_core_hours_total 2.0" in metrics.text().splitlines()
    assert "shepherd_local_wait_seconds 400.0" in metrics.text().splitlines()
    assert report.decisions is not None and report.decisions.cycle.core_hours_lost == pytest.approx(2.0)


def test_frozen_and_free_again(site: FakeSite) -> None:
    cycle, metrics = site.cycle(), Metrics()
    site.collector_started = int(site.time) + 290
    run(site, cycle, metrics)
    assert 'shepherd_frozen{reason="collector"} 1.0' in metrics.text()
    run(site, cycle, metrics)
    assert "shepherd_frozen{" not in metrics.text()


def test_a_pool_that_is_not_seen_and_a_worker_that_is_killed(site: FakeSite) -> None:
    cycle, metrics = site.cycle(), Metrics()
    site.unanswered = NoAnswer("x")
    run(site, cycle, metrics)
    metrics.killed()
    text = metrics.text()
    assert 'shepherd_cycles_total{result="unseen"} 1.0' in text and 'shepherd_cycles_total{result="killed"} 1.0' in text


def test_every_reason_to_freeze_has_a_word() -> None:
    """Labels must not have numbers in them: each would be a series for ever."""
    snapshot = PoolSnapshot(NOW, (), copied=0)
    reasons, _memory = freeze.check(
        snapshot, Memory(hosts=10, hosts_at=NOW), PolicySettings(), "the clock of this host was set back"
    )
    kinds = [kind_of_freeze(reason) for reason in reasons]
    assert sorted(kinds) == ["access point", "clock", "collector", "fall", "mirror"]


def test_log_lines() -> None:
    assert line("decision", node="p220", wanted=None, open=True, lost=0.5, reason='say "hi"\nnow') == (
        'decision node=p220 wanted=- open=true lost=0.5 reason="say \\"hi\\"\\nnow"'
    )
    assert line("x", a="", b=0, c="f220: open") == 'x a="" b=0 c="f220: open"'
