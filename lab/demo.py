"""`python -m lab.demo`: a whole site in virtual machines, and a foreign pool's job through it.

A running lab is taken up where it is; the lab goes on running at the end.
"""

from __future__ import annotations

import subprocess
import sys
import time

from lab import jobs, neighbour, paths, site
from lab.say import LabError, note, step

NODE = "p220"


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n=== {text}", flush=True)


def play(name: str, *arguments: str) -> None:
    """Run a playbook of the collection against the lab."""
    with step(f"playbook {name}"):
        command = [str(paths.REPOSITORY / "build/venv/bin/ansible-playbook"), f"playbooks/{name}.yml", *arguments]
        if subprocess.run(command, cwd=paths.REPOSITORY).returncode:
            raise LabError(f"playbook {name} failed; `make clean` gives the next try a fresh lab")


def foreign_job() -> None:
    """Send a job of the other pool through the flock and print what it says of itself."""
    with step("a job of bob's, submitted in the foreign pool"):
        job = jobs.submit("remote", "bob", jobs.WHO_AND_WHERE, "requirements = TARGET.FlockNode =?= true")
        ad = job.wait(jobs.COMPLETED, 300)
    title(f"the foreign job's output (job {job.cluster} at remote, ran on {ad.get('LastRemoteHost')})")
    print(job.output("out"), flush=True)


def main() -> int:
    """Run the demo; return the exit code."""
    started = time.monotonic()
    title("the lab: a site's pool as it is before flocking, and another institute's pool")
    site.up()
    neighbour.offer()
    print(jobs.on("submit", "condor_status -af:h Name State Activity"), flush=True)
    title("the site lends its idle machines: playbooks/site.yml")
    play("site")
    neighbour.accept()
    title(f"{NODE} is lent: its regular startd is drained, its flocking one opened")
    play("flock_on", "--limit", NODE)
    foreign_job()
    title("the site's pool: regular (p) and flocking (f) startds")
    print(jobs.on("submit", "condor_status -af:h Name FlockNode State Activity FlockOpenUntil"), flush=True)
    title("isolation: probes from inside every flocking container")
    play("verify")
    note(f"demo: {time.monotonic() - started:.0f} s; the lab goes on running (`python3 -m lab ssh {NODE}`, `make clean` ends it)")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        note(f"error: {error}")
        sys.exit(1)
