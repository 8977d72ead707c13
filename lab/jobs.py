"""Jobs in the lab's pools, as their users submit them."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass
from typing import Any

from lab import ssh
from lab.say import LabError
from lab.topology import BY_NAME

#: Job states as numbers: HTCondor manual, "Job ClassAd Attributes", JobStatus.
IDLE, RUNNING, REMOVED, COMPLETED, HELD = 1, 2, 3, 4, 5
#: A line of a job's description: only on flocking startds.
ON_THE_FLOCK = "requirements = TARGET.FlockNode =?= true"
#: An end for what is waited for: many times what it takes, for a machine with other things to do.
WAIT_S = 900.0
_TELLING = ("JobStatus", "HoldReason", "NumJobStarts", "LastRejMatchReason", "RemoteHost")


@dataclass(frozen=True)
class Job:
    """One job of a user at an access point."""

    host: str
    user: str
    cluster: int

    def ad(self) -> dict[str, Any]:
        """Return the job's ad, from the queue or else from the history; empty when neither has it."""
        for tool in ("condor_q", "condor_history -limit 1"):
            output = on(self.host, f"{tool} {self.cluster} -json").strip()
            if output and output != "[\n]":
                ads: list[dict[str, Any]] = json.loads(output)
                if ads:
                    return ads[0]
        return {}

    def wait(self, status: int, timeout_s: float) -> dict[str, Any]:
        """Return the job's ad once it has the status; fail with the last ad's essentials otherwise."""
        deadline = time.monotonic() + timeout_s
        while True:
            ad = self.ad()
            if ad.get("JobStatus") == status:
                return ad
            if time.monotonic() > deadline:
                seen = {key: ad.get(key) for key in _TELLING}
                raise LabError(f"{self.user}'s job {self.cluster} not in state {status} after {timeout_s:.0f} s: {seen}")
            time.sleep(2)

    def output(self, name: str) -> str:
        """Return a file from the directory the job was submitted in."""
        return on(self.host, f"cat /home/{self.user}/{self.cluster}/{name}")

    def remove(self) -> None:
        """Remove the job."""
        on(self.host, f"condor_rm {self.cluster}")


def on(host: str, script: str, timeout_s: float = 300) -> str:
    """Return what a shell script prints on a host; fail when it fails."""
    result = ssh.run(BY_NAME[host], script, timeout_s)
    if result.returncode:
        said = result.stderr.strip() or result.stdout.strip()
        raise LabError(f"{host}: {script!r} gave {result.returncode}: {said}")
    return result.stdout


def submit(host: str, user: str, script: str, description: str = "") -> Job:
    """Submit a shell script as a job that asks for little; further lines of the description are appended."""
    submission = f"""
executable = job.sh
output = out
error = err
log = log
should_transfer_files = YES
when_to_transfer_output = ON_EXIT
request_cpus = 1
request_memory = 16MB
request_disk = 1MB
{description}
queue
"""
    steps = f"""set -eu
cd ~
new=$(mktemp -d); cd "$new"
printf '%s' {shlex.quote(script)} > job.sh; chmod 755 job.sh
printf '%s' {shlex.quote(submission)} > job.sub
cluster=$(condor_submit -terse job.sub | sed 's/\\..*//')
ln -s "$new" ~/"$cluster"
echo "$cluster"
"""
    printed = on(host, f"chmod 711 /home/{user}; su - {user} -c {shlex.quote(f'TMPDIR=$HOME sh -c {shlex.quote(steps)}')}")
    return Job(host, user, int(printed.split()[-1]))


WHO_AND_WHERE = """#!/bin/sh
echo "user=$(id -un) uid=$(id -u)"
echo "host=$(cat /proc/sys/kernel/hostname)"
echo "address=$(awk '/32 host/ { print a } { a = $2 }' /proc/net/fib_trie | sort -u | grep -v '^127\\.' | tr '\\n' ' ')"
"""


def sleeper(seconds: int) -> str:
    """Return a script that takes so many seconds and then says that it was never disturbed."""
    return f"#!/bin/sh\nsleep {seconds} && echo undisturbed\n"
