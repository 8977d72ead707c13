"""`python -m lab.demo`: a whole site in virtual machines, its shepherd, and a foreign pool's job through it.

A running lab is taken up where it is; the lab goes on running at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from lab import daemons, jobs, neighbour, paths, site
from lab.say import LabError, note, step

LENT, LOCAL = "flock", "local"
UNPRIVILEGED = "p221"
#: What the shepherd may take for a change: a cycle a minute, on emulated machines.
CHANGE_S = 600


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n=== {text}", flush=True)


def play(name: str, *arguments: str) -> None:
    """Run a playbook of the collection against the lab."""
    with step(f"playbook {name}"):
        command = [str(paths.REPOSITORY / "build/venv/bin/ansible-playbook"), f"playbooks/{name}.yml", *arguments]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(paths.REPOSITORY / "lab/ansible.cfg")}
        if subprocess.run(command, cwd=paths.REPOSITORY, env=environment).returncode:
            raise LabError(f"playbook {name} failed; `make clean` gives the next try a fresh lab")


def states() -> dict[str, str]:
    """Return the state of each node as the shepherd sees it."""
    return {node["name"]: node["state"] for node in json.loads(jobs.on("submit", "shepherd status --json"))["nodes"]}


def wait_until(lent: int, what: str) -> dict[str, str]:
    """Return the nodes' states once that many are lent and all others local."""
    with step(what):
        deadline = time.monotonic() + CHANGE_S
        while True:
            seen = states()
            if list(seen.values()).count(LENT) == lent and set(seen.values()) <= {LENT, LOCAL}:
                return seen
            if time.monotonic() > deadline:
                raise LabError(f"not within {CHANGE_S} s: {what}; the nodes are {seen}, expected {lent} lent")
            time.sleep(5)


def show_status() -> None:
    """Print the shepherd's table."""
    print(jobs.on("submit", "shepherd status"), flush=True)


def foreign_job() -> None:
    """Send a job of the other pool through the flock and print what it says of itself."""
    with step("a job of bob's, submitted in the foreign pool"):
        job = jobs.submit("remote", "bob", jobs.WHO_AND_WHERE, jobs.ON_THE_FLOCK)
        ad = job.wait(jobs.COMPLETED, 300)
    title(f"the foreign job's output (job {job.cluster} at remote, ran on {ad.get('LastRemoteHost')})")
    print(job.output("out"), flush=True)


def set_up() -> None:
    """Bring up the lab and apply the collection's playbooks to it."""
    title("the lab: a site's pool as it is before flocking, and another institute's pool")
    site.up()
    neighbour.offer()
    print(jobs.on("submit", "condor_status -af:h Name State Activity"), flush=True)
    title("the site can lend its idle machines: playbooks/site.yml")
    play("site")
    neighbour.accept()
    title("isolation: probes from inside every flocking container")
    play("verify")
    title("the shepherd, which from now on decides what is lent: playbooks/shepherd.yml")
    play("shepherd")


def lend_and_take_back() -> None:
    """Show what the shepherd does with an empty queue, with foreign jobs, and with local ones."""
    nodes = wait_until(1, "the local queue is empty: one node goes out, the other stays as the reserve")
    show_status()
    foreign_job()
    title("the site's pool: regular (p) and flocking (f) startds")
    print(jobs.on("submit", "condor_status -af:h Name FlockNode State Activity FlockOpenUntil"), flush=True)
    with step("a long job of bob's runs on the lent node"):
        guest = jobs.submit("remote", "bob", jobs.sleeper(3600), jobs.ON_THE_FLOCK)
        guest.wait(jobs.RUNNING, 300)
    show_status()
    (lent,) = (name for name, state in nodes.items() if state == LENT)
    title(f"local work comes, more than the reserve takes: {lent} is taken back")
    own = [jobs.submit("submit", "alice", jobs.sleeper(3600), f'requirements = regexp("^{node}", Machine)') for node in nodes]
    wait_until(0, "the foreign job has had its time, the node is back")
    with step("every local job runs"):
        for job in own:
            job.wait(jobs.RUNNING, 300)
    show_status()
    for job in (guest, *own):
        job.remove()


def lend_all() -> None:
    """Show that without a reserve everything goes out."""
    title("the local queue is empty again, and there is to be no reserve")
    play("shepherd", "-e", "lab_reserve=0")
    wait_until(2, "both nodes go out")
    show_status()


def without_root() -> None:
    """Show a node whose regular HTCondor has no root, and a job of the site's own on it."""
    title(f"{UNPRIVILEGED}: HTCondor without root, every job as an account of its own (role execute_node)")
    inventories = ("-i", "inventories/lab", "-i", "inventories/lab_execute_nodes")
    play("site", *inventories, "--limit", UNPRIVILEGED, "--tags", "execute_node", "-e", "execute_node_restart_consent=true")
    print(daemons.table(daemons.of(UNPRIVILEGED)), flush=True)
    with step("a job of alice's on it"):
        job = jobs.submit("submit", "alice", jobs.WHO_AND_WHERE, f'requirements = regexp("^{UNPRIVILEGED}", Machine)')
        job.wait(jobs.COMPLETED, 300)
    print(job.output("out"), flush=True)
    print(jobs.on(UNPRIVILEGED, "journalctl -o cat SHEEPFOLD_KIND=job"), flush=True)


def main() -> int:
    """Run the demo; return the exit code."""
    started = time.monotonic()
    set_up()
    lend_and_take_back()
    without_root()
    lend_all()
    note(f"demo: {time.monotonic() - started:.0f} s; the lab goes on running (`python3 -m lab ssh submit`, `make clean` ends it)")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        note(f"error: {error}")
        sys.exit(1)
