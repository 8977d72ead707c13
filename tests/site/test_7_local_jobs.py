"""The local jobs from before the roles came: they end as if nothing had been."""

from __future__ import annotations

import json

from lab import jobs

from .full import FULL
from .prepare import LOCAL_JOBS

#: tests/site/test_4_faults.py reboots p221 in a full run: that alone ends a local job early, once.
STARTS = 2 if FULL else 1


def test_the_local_jobs_end_as_if_nothing_had_been() -> None:
    for node, cluster in json.loads(LOCAL_JOBS.read_text()).items():
        job = jobs.Job("submit", "alice", cluster)
        jobs.on(node, "touch /run/lab-finish")
        ad = job.wait(jobs.COMPLETED, jobs.WAIT_S)
        assert ad["NumJobStarts"] == STARTS
        assert job.output("out") == "undisturbed\n"
