"""The local jobs from before the roles came: they end as if nothing had been."""

from __future__ import annotations

import json

from lab import jobs

from .prepare import LOCAL_JOBS


def test_the_local_jobs_end_as_if_nothing_had_been() -> None:
    for node, cluster in json.loads(LOCAL_JOBS.read_text()).items():
        job = jobs.Job("submit", "alice", cluster)
        jobs.on(node, "touch /run/lab-finish")
        ad = job.wait(jobs.COMPLETED, 120)
        assert ad["NumJobStarts"] == 1
        assert job.output("out") == "undisturbed\n"
