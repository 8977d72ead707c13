"""Core dumps: where they land, and whose memory is in them."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from .answer import BLOCKED, Answer, answer
from .attack import Attack
from .ground import EVIL, SECRET, Ground

_LOG = "/srv/condor/p220/log"
_SPOOL = "/srv/condor/submit/spool"
_ITEM = "core dumps"
_LIMIT = "coresize = 100000000"
_SUITES = ("trixie", "sid") if not Path("/proc/sys/kernel/core_pattern").read_text().startswith(("|", "/", "@")) else ()
"""A kernel that gives cores to a program, or puts them all in one place, puts none where a job wants it."""

# The shell's core has its environment in it.
_ELSEWHERE = f"""#!/bin/sh
ulimit -S -c "$(ulimit -H -c)"
cd {_LOG} && sh -c 'kill -SEGV $$'
echo tried
"""

_CORE_OF_PARENT = f"{EVIL}/core-of-parent"
# Who started the job dumps core in a directory of the job's, where a process that outlives it waits.
_OF_PARENT = f"""#!/usr/bin/python3 -I
import glob, os, resource, signal, time
parent, place = os.getppid(), os.getcwd()
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with open("/sys/fs/cgroup/leaf/cgroup.procs", "w") as file:
            file.write("0")
    except OSError:
        pass
    for name in os.listdir("/proc/self/fd"):
        try:
            os.close(int(name))
        except OSError:
            pass
    end = time.monotonic() + 10
    found = []
    while not found and time.monotonic() < end:
        for path in set(glob.glob(place + "/core*")) - {{__file__}}:
            try:
                found.append(open(path, "rb"))
            except OSError:
                pass
    time.sleep(1)
    if found and b"PRIVATE_INHERIT=" in found[0].read():
        with open("{_CORE_OF_PARENT}", "w") as file:
            file.write(f"has the core of process {{parent}}")
    os._exit(0)
time.sleep(1)
try:
    hard = resource.prlimit(parent, resource.RLIMIT_CORE)[1]
    resource.prlimit(parent, resource.RLIMIT_CORE, (hard, hard))
    os.kill(parent, signal.SIGTRAP)
except OSError as error:
    print(error)
time.sleep(12)
print("alive")
"""

_LONG = "#!/bin/sh\nsleep 40\n"


def _elsewhere(ground: Ground, cluster: str) -> Answer:
    found = ground.world.run(["sh", "-c", f"grep -l MARK=core-elsewhere {_LOG}/core*"], check=False).stdout.split()
    return answer(bool(found), f"a core of the job's is {', '.join(found)}")


def _of_parent(ground: Ground, cluster: str) -> Answer:
    with contextlib.suppress(AssertionError):
        # The job may be gone before the process that it left.
        ground.site.pool.wait(lambda: ground.exists(_CORE_OF_PARENT), "a core of another process", 5)
        return Answer(True, ground.world.read(_CORE_OF_PARENT))
    return BLOCKED


def _remove(ground: Ground, cluster: str) -> None:
    """Remove the job once its attack is over: daemons of HTCondor take no notice of a child that ended by SIGTRAP."""
    ground.site.pool.wait(lambda: ground.exists(_CORE_OF_PARENT) or ground.ended(cluster), "the end of core-of-parent", 120)
    ground.site.cm.run(["condor_rm", cluster], check=False)


def _vacate(ground: Ground, cluster: str) -> None:
    name = "core-of-monitor"
    ground.site.pool.wait(lambda: ground.site.commands("sleep 40"), f"{name} at work", 120)
    ground.site.cm.run(["condor_vacate_job", cluster], user="alice")
    ground.site.pool.wait(lambda: not ground.site.commands("sleep 40"), f"the end of {name}", 60)


def _of_monitor(ground: Ground, cluster: str) -> Answer:
    """Whether what the daemons know is in a core that comes back to the job's owner."""
    cores = [path for path in (ground.world.root / _SPOOL.lstrip("/")).rglob("core*") if path.is_file()]
    token = ground.world.read(SECRET).strip().encode()
    key = re.compile(rb"CONDOR_PRIVATE_INHERIT=[^\0]{20}")
    known = [path for path in cores if token in path.read_bytes() or key.search(path.read_bytes())]
    return Answer(
        bool(known), f"{known[0].name} came back with a secret of the daemons" if known else f"{len(cores)} cores came back"
    )


ATTACKS = [
    Attack(
        "core-elsewhere",
        _ITEM,
        _ELSEWHERE,
        lines=(_LIMIT,),
        environment={"MARK": "core-elsewhere"},
        judge=_elsewhere,
        suites=_SUITES,
    ),
    Attack("core-of-parent", _ITEM, _OF_PARENT, lines=(_LIMIT,), during=_remove, judge=_of_parent, suites=_SUITES),
    Attack(
        "core-of-monitor",
        _ITEM,
        _LONG,
        "knowing",
        lines=(_LIMIT, "kill_sig = SIGSEGV", "when_to_transfer_output = ON_EXIT_OR_EVICT"),
        during=_vacate,
        judge=_of_monitor,
        endless=True,
        suites=_SUITES,
    ),
]
