"""Traces and their replay."""

from __future__ import annotations

import json
from random import Random

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.settings import PolicySettings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import Memory
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.simulate import simulation, traces
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.simulate.simulation import (
    Plant,
    ReplayResult,
    foreign_jobs,
    replay,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.simulate.traces import TraceError, TraceJob

SWF = """; Version: 2.2
    1        0 308434  31405   3  31405    -1   30  37980    -1  1   1   1  -1 -1  1 -1 -1

    2       60      9    100  -1  31039    -1    2  37980    -1  1   1   1  -1 -1  1 -1 -1
    3       70      9     -1   8  31039    -1    2  37980    -1  1   1   1  -1 -1  1 -1 -1
"""
DAY = 86400
HOUR = 3600


def test_swf() -> None:
    assert list(traces.swf(SWF.splitlines())) == [TraceJob(0, 31405)] * 3 + [TraceJob(60, 100)] * 2
    assert list(traces.swf(SWF.splitlines(), split=False)) == [TraceJob(0, 31405, 3), TraceJob(60, 100, 2)]


@pytest.mark.parametrize("line", ["1 2 3", "1 a" + " 1" * 16])
def test_bad_swf(line: str) -> None:
    with pytest.raises(TraceError, match=r"line 1 is .*expected 18 numbers"):
        list(traces.swf([line]))


def test_history() -> None:
    ads = [{"QDate": 5, "RemoteWallClockTime": 60.0, "RequestCpus": 4}, {"QDate": 6, "RemoteWallClockTime": 0}]
    assert list(traces.history([json.dumps(ad) for ad in ads] + [""])) == [TraceJob(5, 60, 4)]


@pytest.mark.parametrize("line", ["x", "[]", "{}", '{"QDate": "now", "RemoteWallClockTime": 1}'])
def test_bad_history(line: str) -> None:
    with pytest.raises(TraceError, match="line 1 is "):
        list(traces.history([line]))


def run(jobs: list[TraceJob], settings: PolicySettings | None, nodes: int = 4, days: int = 1) -> ReplayResult:
    return replay(jobs, Plant(nodes, 2), settings, foreign_jobs(1, mean=2 * HOUR), seconds=days * DAY)


def test_an_empty_pool_is_lent_up_to_the_reserve() -> None:
    made = run([], PolicySettings(reserve=0.25, out_share=1.0, moving_share=1.0))
    # Three of four nodes, from the sixth cycle at the latest.
    assert 3 * 2 * (24 - 0.5) < made.lent <= 3 * 2 * 24
    assert (made.badput, made.toggles, made.waits) == (0, 3, ())
    assert run([], PolicySettings(reserve=1.0)).lent == 0 == run([], None).lent


def test_local_work_waits_no_longer_than_it_takes_to_give_back() -> None:
    burst = [TraceJob(0, 60), *[TraceJob(6 * HOUR, HOUR) for _job in range(8)]]
    without = run(burst, None)
    assert set(without.waits) == {0} and without.local == pytest.approx(8 + 1 / 60)
    settings = PolicySettings(out_share=1.0, moving_share=1.0, reclaim_cap=600)
    made = run(burst, settings)
    extra = simulation.added(made.waits, without.waits)
    # The reserve takes two; the others have theirs when they have waited for some cycles, after the cap, asking, killing, and a
    # cycle or two.
    assert sorted(extra)[:3] == [0, 0, 0] and 0 < max(extra) <= 600 + (settings.high_cycles + 4) * settings.cycle
    assert made.local == without.local and made.badput > 0 and 0 < made.badput_share < 0.2
    assert made.toggles_per_node_and_day >= 2


def test_the_same_seed_gives_the_same() -> None:
    burst = [TraceJob(6 * HOUR, HOUR) for _job in range(8)]
    assert run(burst, PolicySettings()) == run(burst, PolicySettings())


def test_a_job_that_fits_nowhere_keeps_nobody_waiting() -> None:
    made = run([TraceJob(0, 60, 3), TraceJob(1, 60, 2)], None)
    assert made.waits == (-1, 0)
    assert simulation.added((-1, 5), (0, 2)) == [3]


@pytest.mark.parametrize(("share", "value"), [(0.5, 3), (0.95, 5), (0.2, 1), (1.0, 5)])
def test_percentiles(share: float, value: int) -> None:
    assert simulation.percentile([5, 1, 4, 2, 3], share) == value
    assert simulation.percentile([], share) == 0


class NodeByNode(simulation.Engine):
    """Decides every cycle, as the daemon does."""

    def still(self, look: simulation.CycleView, settings: PolicySettings, memory: Memory) -> Memory | None:
        return None


@pytest.mark.parametrize("policy", ["balance", "threshold"])
def test_cycles_that_are_not_decided_node_by_node_change_nothing(policy: str) -> None:
    random = Random(3)
    jobs = [TraceJob(random.randrange(2 * DAY), random.randrange(60, 3 * HOUR)) for _job in range(150)]
    jobs += [TraceJob(DAY, HOUR) for _job in range(20)]
    settings = PolicySettings(policy=policy, threshold=3, out_share=0.5, reclaim_cap=600, low_cycles=2)
    skipped: list[bool] = []

    class Counting(simulation.Engine):
        def still(self, look: simulation.CycleView, settings: PolicySettings, memory: Memory) -> Memory | None:
            after = super().still(look, settings, memory)
            skipped.append(after is not None)
            return after

    quick, thorough = (
        replay(jobs, Plant(6, 2), settings, foreign_jobs(1), seconds=3 * DAY, controller=controller)
        for controller in (Counting(), NodeByNode())
    )
    assert quick == thorough and quick.badput > 0
    assert sum(skipped) > 300
