"""The harness itself: a pool runs a job, and leaves nothing behind."""

from __future__ import annotations

from condor_harness import Pool, Root
from condor_harness.pool import CM_AND_AP


def test_a_pool_runs_a_job_and_leaves_nothing(root: Root) -> None:
    with Pool(root, "harness") as pool:
        cm = pool.start_master("submit", CM_AND_AP)
        pool.start_master("p220")
        pool.wait_startds("p220")
        cluster = pool.submit(
            cm,
            "executable = /usr/bin/id\ntransfer_executable = false\noutput = /home/alice/out\nlog = /home/alice/log\n"
            "should_transfer_files = yes\nrequest_memory = 64\nrequest_disk = 1024\nqueue\n",
        )
        pool.wait_job(cm, cluster, 4)
        assert "uid=" in pool.world.read("/home/alice/out")
        assert pool.world.processes("condor_startd")
    assert pool.world.processes() == []
    assert not pool.world.base.exists()
