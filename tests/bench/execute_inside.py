# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The starter's part in the bench of the switch: makes a sandbox and runs a program in it, over and over.

Prints the milliseconds of each as a JSON list. Started with the name condor_starter, as the daemons' user.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

EXECUTE = "/srv/condor/p220/execute"
SWITCH = "/usr/local/libexec/sheepfold/job-switch"
ENGINE = "/usr/local/lib/sheepfold/execute_node/switch"
RUN = "/run/sheepfold/execute_node"
HEAD_START = 0.2
"""seconds; how long starters of real jobs take is figure starter_head_start_ms"""
LEAVE_STRAYS = """
i=0
while [ $i -lt {count} ]; do setsid sh -c 'trap "" TERM; while :; do sleep 600; done' & i=$((i + 1)); done
sleep 1
date +%s.%N > ended
"""


def stand_by() -> None:
    """What the role's job-starter does before it becomes the starter, and the time for which that fetches a job's files."""
    called = f"{RUN}/{os.getpid()}"
    for ending in ("call", "answer"):
        Path(f"{called}.{ending}").unlink(missing_ok=True)
        os.mkfifo(f"{called}.{ending}", 0o600)
    quiet = [(os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDWR, 0) for number in (0, 1, 2)]
    os.posix_spawn("/usr/bin/python3", ["python3", "-I", "-S", ENGINE, "stand-by", called], {}, file_actions=quiet)
    time.sleep(HEAD_START)


def call(words: list[str]) -> float:
    """Run a program to its end; when it began, in seconds of the clock."""
    began = time.time()
    pid = os.fork()
    if pid == 0:
        os.execve(words[0], words, {"PATH": "/usr/bin:/bin"})
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(f"{words}: wait status {status}")
    return began


def strays(count: int) -> float:
    """Milliseconds from the end of a job that leaves processes behind to the end of the last of them."""
    call([SWITCH, "/bin/sh", "-c", LEAVE_STRAYS.format(count=count)])
    ended = time.time()
    began = float(Path("ended").read_text())
    left = [each.name for each in Path("/proc").iterdir() if each.name.isdigit() and _uid(each) not in (0, os.getuid())]
    if left:
        sys.exit(f"processes are left: {left}")
    return (ended - began) * 1000


def _uid(process: Path) -> int:
    try:
        return process.stat().st_uid
    except OSError:
        return 0


def main() -> None:
    """Do what the words say: ``plain|switch|alone|strays=N COUNT``; ``switch``: one stands by, ``alone``: none does."""
    what, count = sys.argv[1], int(sys.argv[2])
    sandbox = Path(f"{EXECUTE}/dir_{os.getpid()}")
    sandbox.mkdir(mode=0o700)
    os.chdir(sandbox)
    found = []
    for _ in range(count):
        if what not in ("plain", "alone"):
            stand_by()
        if what.startswith("strays="):
            found.append(strays(int(what.partition("=")[2])))
            continue
        began = call(["/bin/true"] if what == "plain" else [SWITCH, "/bin/true"])
        found.append((time.time() - began) * 1000)
    os.chdir("/")
    print(json.dumps(found))


main()
