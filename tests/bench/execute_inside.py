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
LEAVE_STRAYS = """
i=0
while [ $i -lt {count} ]; do setsid sh -c 'trap "" TERM; while :; do sleep 600; done' & i=$((i + 1)); done
sleep 1
date +%s.%N > ended
"""


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
    """Do what the words say: ``plain|switch|strays=N COUNT``."""
    what, count = sys.argv[1], int(sys.argv[2])
    sandbox = Path(f"{EXECUTE}/dir_{os.getpid()}")
    sandbox.mkdir(mode=0o700)
    os.chdir(sandbox)
    found = []
    for _ in range(count):
        if what.startswith("strays="):
            found.append(strays(int(what.partition("=")[2])))
            continue
        began = call(["/bin/true"] if what == "plain" else [SWITCH, "/bin/true"])
        found.append((time.time() - began) * 1000)
    os.chdir("/")
    print(json.dumps(found))


main()
