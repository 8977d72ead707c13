"""Before the roles come: keep the hosts' fingerprints, and leave a local job running on a compute node.

Run by `molecule prepare` as `python -m tests.site.prepare`, with the lab in its prepared state.
"""

from __future__ import annotations

import json

from lab import jobs, neighbour

from . import fingerprint
from .plays import REPORTS

LOCAL_JOBS = REPORTS / "local-jobs.json"
#: p220 is lent to the flock by the tests; p221 keeps its local job all the time.
NODES = ("p221",)
#: Longer than all tests: the job ends when its test asks it to. HTCondor gives a job a /tmp of its own.
ENDLESS = """#!/bin/sh
i=0
while [ ! -e /run/lab-finish ] && [ $i -lt 14400 ]; do sleep 1; i=$((i+1)); done
echo undisturbed
"""


def main() -> None:
    """Prepare the running lab."""
    neighbour.offer()
    started = {}
    for node in NODES:
        job = jobs.submit("submit", "alice", ENDLESS, f'requirements = Machine == "{node}.sips" || Machine == "{node}"')
        job.wait(jobs.RUNNING, jobs.WAIT_S)
        started[node] = job.cluster
        print(f"local job {job.cluster} runs on {node}", flush=True)
    fingerprint.save()
    LOCAL_JOBS.write_text(json.dumps(started))


if __name__ == "__main__":
    main()
