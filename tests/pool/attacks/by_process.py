"""Processes that are to outlive the job, and signals between the layers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from .answer import Answer, answer
from .attack import Attack
from .ground import EVIL, SLOTS, WRAPPER, Ground

# Out of the job's cgroup where that can be, of nobody's child, without the variables by which condor_procd knows its own,
# in a session of its own, deaf to what asks it to end. Several, one after the other: condor_procd keeps what it has seen in
# the middle of this.
_STRAY = """#!/bin/sh
trap '' TERM HUP INT
for number in $(seq %d); do
  sleep %s
  (
    echo 0 >/sys/fs/cgroup/leaf/cgroup.procs
    env -i setsid sleep %d &
  ) >/dev/null 2>&1 &
done
wait
sleep 1
echo started
"""

_ALL_SIGNALS = """#!/bin/sh
for number in 2 1 3 15 14 10 12 13 20 21 22 34 64 19 18 9; do kill -$number $PPID; done
sleep 2
echo alive
"""

_LEFTOVERS = """#!/usr/bin/python3 -I
import ctypes, os
libc = ctypes.CDLL(None)
libc.shmget(0x5EEF, 4096, 0o1600)
libc.semget(0x5EEF, 1, 0o1600)
libc.msgget(0x5EEF, 0o1600)
libc.mq_open(b"/left-behind", os.O_CREAT | os.O_RDWR, 0o600, None)
for place in ("/tmp", "/var/tmp", "/dev/shm", "/run/lock"):
    try:
        os.makedirs(f"{place}/left-behind/deep")
    except OSError as error:
        print(error)
print("left")
"""


def _outlived(seconds: int) -> Callable[[Ground, str], Answer]:
    """Whether processes of the job are still there."""

    def judge(ground: Ground, cluster: str) -> Answer:
        def left() -> str:
            count = len(ground.site.commands(f"sleep {seconds}"))
            return f"{count} processes outlived the job" if count else ""

        return ground.stays(left, 3)

    return judge


def _starter_killed(ground: Ground, cluster: str) -> Answer:
    def lost() -> str:
        return "" if "\n005 (" in ground.output("parent-signalled", "log") else "the starter was killed"

    return ground.stays(lost, 20)


def _left_behind(ground: Ground, cluster: str) -> Answer:
    def left() -> str:
        places = ("/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/dev/mqueue")
        found = [f"{place}/left-behind" for place in places if ground.exists(f"{place}/left-behind")]
        with contextlib.suppress(OSError):
            for kind in ("shm", "sem", "msg"):
                if f" {0x5EEF} " in ground.world.read(f"/proc/sysvipc/{kind}"):
                    found.append(kind)
        return ", ".join(found)

    return ground.stays(left, 3)


def _layer(part: str, number: int, seconds: int, name: str = "", drivers: tuple[str, ...] = ("newuidmap", "userv")) -> Attack:
    """A signal to one layer of the running switch, as the host's own root (the job itself cannot).

    No process may stay the account's, nor the job's directory at all, once the check of each minute has run.
    """
    title = name or f"{part}-killed"

    def during(ground: Ground, cluster: str) -> None:
        parts = {"starter", "monitor", "job", *((part, "keeper", "init") if ground.protected else ())}
        ground.site.pool.wait(
            lambda: ground.started(cluster) and parts <= set(ground.processes(title)), f"{title}'s processes", 120
        )
        found = ground.processes(title)
        target = found.get(part) or found["monitor"]
        ground.kill(target, number)
        if number == 19:
            ground.site.cm.run(["condor_rm", cluster])

    def judge(ground: Ground, cluster: str) -> Answer:
        place = ground.world.read(f"{EVIL}/place.{title}").strip()

        def left() -> str:
            if ground.protected:
                ground.site.as_condor(["/usr/local/libexec/sheepfold/account-check"], check=False)
            if ground.site.commands(f"sleep {seconds}"):
                return "its processes live on"
            return f"{place} is still there" if ground.exists(place) else ""

        return ground.stays(left, 20)

    script = f"#!/bin/sh\npwd >{EVIL}/place.{title}\nchmod 644 {EVIL}/place.{title}\nsetsid sleep {seconds} &\nsleep {seconds}\n"
    return Attack(
        title, "KILL, STOP, TERM at every layer", script, "uid", during=during, judge=judge, endless=True, drivers=drivers
    )


_SECOND = f"""#!/bin/sh
pwd >{EVIL}/place.second-call
for number in $(seq 160); do
  sleep 0.25
  : >"file$number" || {{ echo BREACH "$(stat -c 'the directory is of %u now' .)"; exit; }}
done 2>/dev/null
echo undisturbed
"""


def _second_call(ground: Ground, cluster: str) -> None:
    """Have the starter call the switch again for the same sandbox: the job's owner can, by condor_ssh_to_job."""

    def called() -> bool:
        ground.site.cm.run(["timeout", "6", "condor_ssh_to_job", cluster, "true"], user="alice", check=False)
        return bool(_sessions(ground))

    place = f"{EVIL}/place.second-call"
    ground.site.pool.wait(lambda: ground.exists(place), "a job to be disturbed", 60)
    if ground.protected:
        ground.site.pool.wait(called, "a second call of the switch", 40)
    else:
        # As the starter would, which is slow to allow a session.
        environment = {"CONTROL": "uid", "_CONDOR_SLOT": f"slot1_{SLOTS}"}
        ground.site.as_condor([WRAPPER, "/bin/true"], cwd=ground.world.read(place).strip(), env=environment)


def _sessions(ground: Ground) -> str:
    """What the starters say of sessions of condor_ssh_to_job."""
    return ground.world.run(["sh", "-c", "grep -h StartSSHD /srv/condor/p220/log/StarterLog*"], check=False).stdout


def _undisturbed(ground: Ground, cluster: str) -> Answer | None:
    if ground.protected and not _sessions(ground):
        return None
    output = ground.output("second-call")
    words = output.partition("BREACH ")[2] or ("" if "undisturbed" in output else "the job was not left to its end")
    return Answer(bool(words), words)


def _refusal(ground: Ground, cluster: str) -> Answer:
    """Whether a job's own 203 can be told from the switch's."""
    code = ground.site.pool.job(ground.site.cm, cluster).get("ExitCode")
    ends = [record for record in ground.records() if record.get("SHEEPFOLD_JOB") == f"{cluster}.0"]
    told = any(record.get("SHEEPFOLD_EXIT") == "exit 203" for record in ends)
    return answer(code != 203 or not told, f"exit code {code}, and no record of whose it is")


SECOND_CALL = Attack("second-call", "directory-swap race", _SECOND, "uid", during=_second_call, judge=_undisturbed)
"""It takes the longest: first to be made."""

ATTACKS = [
    Attack("own-203", "exit codes 201-204", "#!/bin/sh\nexit 203\n", judge=_refusal),
    Attack("stray", "double fork, setsid, TERM ignored", _STRAY % (8, 0.4, 98701), judge=_outlived(98701)),
    Attack("fork-bomb", "fork bomb", _STRAY % (200, 0, 98702), judge=_outlived(98702)),
    Attack("parent-signalled", "parent killed with 9, job signals its init", _ALL_SIGNALS, judge=_starter_killed, endless=True),
    Attack("leftovers", "leftover SysV, shm, /tmp, mqueues", _LEFTOVERS, "uid", judge=_left_behind),
    _layer("monitor", 9, 98711),
    _layer("keeper", 9, 98712),
    _layer("init", 9, 98713),
    _layer("starter", 9, 98714),
    _layer("keeper", 19, 98715, "keeper-stopped"),
    _layer("monitor", 19, 98716, "monitor-stopped"),
    _layer("init", 19, 98717, "init-stopped"),
    _layer("client", 9, 98741, drivers=("userv",)),
    _layer("server", 9, 98744, drivers=("userv",)),
    _layer("service", 9, 98742, drivers=("userv",)),
    _layer("service", 19, 98743, "service-stopped", drivers=("userv",)),
    _layer("starter", 19, 98718, "starter-stopped"),
    _layer("job", 19, 98719, "job-stopped"),
    _layer("monitor", 15, 98720, "monitor-terminated"),
    _layer("keeper", 15, 98731, "keeper-terminated"),
    _layer("starter", 15, 98732, "starter-terminated"),
]
