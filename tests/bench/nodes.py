"""What a run without changes costs a compute node: tasks, and its time over a bare fact gathering. In the lab."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from lab import neighbour, site
from tests.bench.figures import at_most, shown
from tests.site.plays import ROOT, play

NODE = "p220"
GOAL = 60


def gather_facts_s() -> float:
    """Return the seconds that Ansible's full fact gathering takes on the same hosts: the baseline."""
    command = [str(ROOT / "build/venv/bin/ansible"), "flock_gateway:flock_nodes", "-m", "ansible.builtin.setup"]
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


@contextmanager
def a_site() -> Iterator[None]:
    """The lab with what a site has before its first run.

    One that did not run before is ended again: its guests would take part in every other figure.
    """
    runs = bool(site.accelerator_of_running())
    site.up()
    try:
        neighbour.offer()
        yield
    finally:
        if not runs:
            site.down()


def main() -> None:
    """Converge, run again without changes, and print the figures as JSON."""
    with redirect_stdout(sys.stderr), a_site():
        first = play("site", label="bench-site-first")
        second = play("site", label="bench-site-second")
        baseline = gather_facts_s()
    if first.returncode or second.returncode or second.changed:
        sys.exit(f"no run without changes: {second.said()} {second.changed}")
    figures = [
        at_most("tasks_per_node", second.tasks[NODE], "tasks", GOAL, ""),
        shown(
            "unchanged_run_ratio",
            second.seconds / baseline,
            f"ratio ({second.seconds:.0f} s)",
            f"ansible -m setup on the same hosts, {baseline:.0f} s",
            digits=1,
        ),
    ]
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
