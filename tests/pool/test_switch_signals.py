"""Signals to every layer of a running switch, as an administrator may send them: what is stopped and continued goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable

import layers
import left_behind
import pytest
import switch_site
from execute_point import EXECUTE, ExecutePoint

_COMPLETED = 4
_WAITS = """#!/bin/sh
trap 'echo asked to end; exit 3' TERM
: >begun
until [ -e end ]; do sleep 0.1; done
echo done
exit 7
"""


def _begin(site: ExecutePoint) -> str:
    cluster = site.shell(_WAITS, "requirements = (NumShadowStarts ?: 0) == 0")
    switch_site.record(site, cluster, "start")
    site.pool.wait(lambda: _files(site, "begun"), "a job at work")
    return cluster


def _files(site: ExecutePoint, name: str) -> list[str]:
    return [str(path) for path in (site.world.root / EXECUTE.lstrip("/")).rglob(name)]


def _let_end(site: ExecutePoint) -> None:
    (begun,) = _files(site, "begun")
    end = begun.rpartition("/")[0] + "/end"
    site.world.run(["touch", end[len(str(site.world.root)) :]])


def _send(site: ExecutePoint, pid: int, number: int) -> None:
    site.world.run(["kill", f"-{int(number)}", str(pid)])


_LAYERS = [layers.starter, layers.monitor, layers.keeper, layers.init, layers.job]


@pytest.mark.parametrize("layer", _LAYERS)
def test_stopped_and_continued_goes_on(site: ExecutePoint, layer: Callable[[ExecutePoint], int]) -> None:
    cluster = _begin(site)
    pid = layer(site)
    _send(site, pid, signal.SIGSTOP)
    site.pool.wait(lambda: layers.state(site, pid) == "T", "a stopped process")
    # What comes meanwhile waits for it.
    _let_end(site)
    site.world.run(["sleep", "1"])
    assert site.pool.job(site.cm, cluster)["JobStatus"] != _COMPLETED
    _send(site, pid, signal.SIGCONT)
    job = site.pool.wait_job(site.cm, cluster, _COMPLETED)
    assert job["ExitCode"] == 7
    assert site.world.read("/home/alice/out") == "done\n"
    left_behind.nothing(site)


@pytest.mark.parametrize(("layer", "number"), [*((layer, signal.SIGCONT) for layer in _LAYERS), (layers.init, signal.SIGTERM)])
def test_it_goes_on_as_if_nothing_had_come(site: ExecutePoint, layer: Callable[[ExecutePoint], int], number: int) -> None:
    cluster = _begin(site)
    _send(site, layer(site), number)
    _let_end(site)
    assert site.pool.wait_job(site.cm, cluster, _COMPLETED)["ExitCode"] == 7
    left_behind.nothing(site)


@pytest.mark.parametrize("layer", [layers.monitor, layers.job])
def test_terminated_is_the_jobs_to_answer(site: ExecutePoint, layer: Callable[[ExecutePoint], int]) -> None:
    cluster = _begin(site)
    _send(site, layer(site), signal.SIGTERM)
    assert site.pool.wait_job(site.cm, cluster, _COMPLETED)["ExitCode"] == 3
    assert site.world.read("/home/alice/out") == "asked to end\n"
    left_behind.nothing(site)


@pytest.mark.parametrize(
    ("layer", "number"),
    [(layers.starter, signal.SIGTERM), (layers.keeper, signal.SIGTERM), *((layer, signal.SIGKILL) for layer in _LAYERS)],
)
def test_the_job_ends_with_all_that_it_has(site: ExecutePoint, layer: Callable[[ExecutePoint], int], number: int) -> None:
    cluster = _begin(site)
    _send(site, layer(site), number)
    left_behind.nothing(site, cluster, 60)


@pytest.mark.parametrize("layer", _LAYERS)
def test_stopped_for_good_is_removed(site: ExecutePoint, layer: Callable[[ExecutePoint], int]) -> None:
    cluster = _begin(site)
    _send(site, layer(site), signal.SIGSTOP)
    site.cm.run(["condor_rm", cluster])
    left_behind.nothing(site, "", 90)
