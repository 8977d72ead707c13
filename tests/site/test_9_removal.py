"""Removal: the hosts are as they were before, and the local jobs never noticed."""

from __future__ import annotations

import json

from lab import jobs

from . import fingerprint
from .plays import play
from .prepare import LOCAL_JOBS


def test_absent_gives_the_hosts_back_as_they_were() -> None:
    result = play("teardown")
    assert not result.failed, result.failed
    assert result.returncode == 0
    assert fingerprint.differences() == []


def test_absent_twice_changes_nothing() -> None:
    result = play("teardown", label="teardown-again")
    assert result.returncode == 0
    assert result.changed == ()


def test_the_local_jobs_end_as_if_nothing_had_been() -> None:
    for node, cluster in json.loads(LOCAL_JOBS.read_text()).items():
        job = jobs.Job("submit", "alice", cluster)
        jobs.on(node, "touch /tmp/lab-finish")
        ad = job.wait(jobs.COMPLETED, 120)
        assert ad["NumJobStarts"] == 1
        assert job.output("out") == "undisturbed\n"
