"""Fifty ordinary jobs come to the same end with the switch and without it, on the same site.

Figures of processor and memory are not among what is compared: HTCondor takes them from the memory controller of cgroup
v2, which the lab's machines have (tests/site).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import ordinary_runs
import switch_site
from condor_harness import Root
from execute_point import ExecutePoint
from ordinary_jobs import JOBS, Ordinary


def _run(root: Root, *, switch: bool) -> list[ordinary_runs.Result]:
    with ExecutePoint(root, ordinary_runs.CONFIG, wrapper=switch) as site:
        if switch:
            switch_site.install(site)
        return ordinary_runs.run(site)


def test_fifty_ordinary_jobs_end_the_same_way(execute_root: Root) -> None:
    with ThreadPoolExecutor(2) as both:
        without, with_ = both.map(lambda switch: _run(execute_root, switch=switch), (False, True))
    print(f"\n{execute_root.version}\n{ordinary_runs.table(JOBS, without, with_)}")
    pairs = zip(JOBS, without, with_)
    found = {job.name: different for job, one, other in pairs if (different := ordinary_runs.differences(one, other))}
    assert not found
    assert len(JOBS) == len({job.name for job in JOBS}) == 50


def test_a_difference_is_seen() -> None:
    one = ordinary_runs.Result(JobStatus=4, ExitBySignal=False, ExitCode=0, HoldReasonCode=None)
    other = ordinary_runs.Result({**one, "./out": "-rw-r--r-- x"})
    assert ordinary_runs.differences(one, other) == ["./out: None and '-rw-r--r-- x'"]
    lines = ordinary_runs.table([Ordinary("a job")], [one], [other]).splitlines()
    assert lines[1:] == ["a job | completed, exit 0, 0 files | completed, exit 0, 1 files | NO", "1 jobs, 0 the same"]
