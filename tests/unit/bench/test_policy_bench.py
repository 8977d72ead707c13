"""The clairvoyant, the loads and the table that policies are compared by."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from plugins.module_utils.shepherd.simulate.simulation import CycleView, Plant, foreign_jobs, replay
from plugins.module_utils.shepherd.simulate.traces import TraceJob
from tests.bench.policy import bound, loads, plot, table
from tests.bench.policy.runs import CLAIRVOYANT, CONTROLLERS, OURS, Figures, baseline

HOUR = 3600
ROW = Figures("load", 1, OURS, 0.96, 0.9, 0.1, 0.5, 0.01, 0.2, 0.4)


def test_cores_in_use() -> None:
    jobs = [TraceJob(0, 100, 2), TraceJob(50, 100), TraceJob(60, 10)]
    assert list(bound.used(jobs, [0, 0, -1], 120)) == [(0, 0), (0, 2), (50, 3), (100, 1)]


def test_windows_are_as_long_as_can_be() -> None:
    assert sorted(bound.windows([(0, 2), (100, 1), (150, 3), (180, 0)], 200)) == [30, 30, 100, 180]
    assert sum(bound.windows([(0, 4)], 200)) == 800


def test_what_the_clairvoyant_lends() -> None:
    plant = Plant(4, 2)
    # A quarter of the cores stays: three of four nodes, and two while two have local jobs.
    assert bound.lent([(0, 4), (HOUR, 2)], plant, 0.25, 2 * HOUR) == 2 * (3 + 2)
    # Too short for any foreign job.
    assert bound.lent([(0, 0), (10, 1), (69, 0)], plant, 0.0, HOUR) == 0
    assert bound.lent([(0, 3), (HOUR, 4)], plant, 0.0, HOUR) == 2 * 3
    assert list(bound.whole([(0, 0), (5, 3), (6, 9)], plant)) == [(0, 4), (5, 2), (6, 0)]


def test_the_clairvoyant_puts_jobs_together_by_their_ends() -> None:
    plant = Plant(3, 2)
    jobs = [TraceJob(0, 100), TraceJob(0, 1000), TraceJob(0, 1000), TraceJob(150, 500), TraceJob(700, 5000)]
    # A short and a long one share a node, the other long one has the next; later ones find a core beside one that ends late.
    assert list(bound.packed(jobs, [0] * 5, plant, 2000)) == [(0, 3), (0, 2), (0, 1), (1000, 2)]
    assert list(bound.packed(jobs[:1], [-1], plant, 2000)) == [(0, 3)]


def test_nobody_who_keeps_local_jobs_from_waiting_lends_more() -> None:
    random = Random(1)
    jobs = tuple(sorted((TraceJob(random.randrange(86400), 1800) for _job in range(400)), key=lambda job: job.submitted))
    base = baseline(loads.Load("small", jobs, Plant(10, 2), 86400, 1))
    assert 0 < base.clairvoyant <= base.profile <= 0.75 * 20 * 24
    assert set(base.alone.waits) == {0}
    assert replay(jobs, Plant(10, 2), None, foreign_jobs(1), seconds=86400) == base.alone


def test_the_load_is_what_it_says() -> None:
    load = loads.satellite_site(5, nodes=20, days=10)
    assert load == loads.satellite_site(5, nodes=20, days=10) != loads.satellite_site(6, nodes=20, days=10)
    stream = list(loads.forward(Random(1), 160, 30 * loads.DAY))
    assert sum(job.run for job in stream) / (160 * 30 * loads.DAY) == pytest.approx(loads.FORWARD_SHARE, rel=0.15)
    assert min(job.run for job in stream) >= bound.SHORTEST


def test_the_mean_is_judged_and_the_spread_shown() -> None:
    others = [replace(ROW, controller=each) for each in (*CONTROLLERS, CLAIRVOYANT) if each != OURS]
    good, bad = (table.judged([*others, ROW, replace(ROW, seed=2, badput_share=share)]) for share in (0.03, 0.05))
    assert [each["met"] for each in good] == [True, True, True]
    assert [(each["name"], each["met"]) for each in bad][2] == ("badput_share", False)
    assert bad[2]["value"] == 0.03 and "2 seeds, 0.0100 to 0.0500" in bad[2]["unit"]
    assert table.markdown([*others, ROW]).count("\n") == 5


def test_the_layers_of_the_picture_are_all_cores() -> None:
    look = CycleView(0, 0, 0, used=30, open=50, lent=4, resting=0, foreign=40, nodes=12, smallest=8, moving=2, lendable=False)
    assert plot.layers(look, 96) == [30, 20, 6, 40]
