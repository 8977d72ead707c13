"""The suite against the flocking container, where HTCondor's own switch is at work: which attacks, and how each would succeed.

A control runs the same attack where less is done against it:

``root``
    beside the job, as the container's root;
``same``
    beside the job, as the user of the job under attack: one user for all;
``open``
    as a slot's user in a container of the same image, without the role's arguments;
``watcher``
    as root of such a container that looks into the flocking one;
``node``
    as the node's root, outside.

What is not in the image (su, sudo, cron, at, newuidmap) cannot be attacked there, and is left out.
"""

from __future__ import annotations

from .attack import Attack

_TABLE = [
    ("descriptors", "descriptor leak", "open"),
    ("groups", "supplementary groups", "open"),
    ("capabilities", "no new privileges", "open"),
    ("setuid_program", "no new privileges", "open"),
    ("nested_user_namespace", "nested userns", "open"),
    ("secret", "keys of the daemons", "root"),
    ("switch_files", "keys of the daemons", "root"),
    ("daemons_seen", "/proc", "root"),
    ("daemons_signalled", "job signals condor", "root"),
    ("daemons_environment", "/proc: environ", "watcher"),
    ("parent_traced", "ptrace", "open"),
    ("parent_memory", "/proc: mem", "open"),
    ("parent_descriptors", "/proc: fd", "open"),
    ("cgroup_left", "strays", "node"),
    ("shared_tmp", "leftover /tmp", "root"),
    ("other_sandbox", "slot 1 against slot 2: files", "same"),
    ("other_process", "slot 1 against slot 2: processes", "same"),
    ("other_environment", "slot 1 against slot 2: processes", "watcher"),
    ("other_socket", "slot 1 against slot 2: sockets", "same"),
    ("abstract_socket", "slot 1 against slot 2: sockets", "same"),
]

_ONE = (
    "jobs of one container share its {}: HTCondor's own switch makes no namespaces without a capability that the container lacks"
)
_WAIVED = {
    "capabilities": "five are in the bounding set, for the daemons; the job has none, and no_new_privs lets it get none",
    "daemons_seen": _ONE.format("PID namespace") + "; the host's processes are not in it",
    "shared_tmp": _ONE.format("/tmp") + "; what a job has left there is gone before that slot's next one (leftovers)",
    "abstract_socket": _ONE.format("network") + "; the host's sockets are not in it",
}

SELF_MADE = [Attack(name, item, control=control, waived=_WAIVED.get(name, "")) for name, item, control in _TABLE]
"""Attacks of inside.py; one job makes them all."""

STRAY_SECONDS = "4321"

# Of nobody's child, without the variables by which condor_procd knows its own, deaf to what asks it to end.
STRAY = f"""#!/usr/bin/python3 -I
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["sleep", "{STRAY_SECONDS}"], {{}})
    os._exit(0)
time.sleep(1)
if sys.argv[1:]:
    time.sleep(600)
"""

# Its parent is the starter; in the control, a shell.
ALL_SIGNALS = """#!/bin/sh
for number in 2 1 3 15 14 10 12 13 20 21 22 34 64 19 18 9; do kill -$number $PPID; done 2>/dev/null
sleep 1
[ -d /proc/$PPID ] && echo its parent is alive || echo BREACH its parent is gone
"""

LEAVE = r"""#!/usr/bin/python3 -I
import ctypes, os
libc = ctypes.CDLL(None)
assert libc.shmget(0x5EEF, 4096, 0o1600) >= 0
assert libc.semget(0x5EEF, 1, 0o1600) >= 0
assert libc.msgget(0x5EEF, 0o1600) >= 0
assert libc.mq_open(b"/left-behind", os.O_CREAT | os.O_RDWR, 0o600, None) >= 0
for place in ("/tmp", "/var/tmp", "/dev/shm"):
    os.makedirs(f"{place}/left-behind/deep")
    with open(f"{place}/left-behind/deep/odd \n name", "w") as file:
        file.write("secret of the last job")
    os.chmod(f"{place}/left-behind/deep", 0)
"""

# Everybody's, and shown as such (/proc/sysvipc): only what is the user's own counts.
FIND = """#!/usr/bin/python3 -I
import os
found = [f"{place}/left-behind" for place in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")]
found = [path for path in found if os.path.lexists(path) and os.stat(path).st_uid == os.getuid()]
for kind in ("shm", "sem", "msg"):
    with open(f"/proc/sysvipc/{kind}") as file:
        columns = file.readline().split()
        rows = [dict(zip(columns, map(int, line.split()))) for line in file]
    if any(row["key"] == 0x5EEF and row["uid"] == os.getuid() for row in rows):
        found.append(kind)
print(f"BREACH finds {', '.join(found)}" if found else "nothing is left")
"""

LINKS = """#!/bin/sh
ln -s "$SECRET" stolen
mkdir directory
ln -s "$SECRET" directory/stolen
"""
LINKS_BACK = "transfer_output_files = stolen, directory"

FORKS = 700
"""More processes than the role lets the container have."""
BOMB = f"""#!/usr/bin/python3 -I
import os, signal, time
made = []
for number in range({FORKS}):
    try:
        pid = os.fork()
    except OSError as error:
        print("held at", number, error.strerror, flush=True)
        break
    if pid == 0:
        time.sleep(20)
        os._exit(0)
    made.append(pid)
else:
    print("BREACH made", len(made), "processes", flush=True)
for pid in made:
    os.kill(pid, signal.SIGKILL)
"""

STRAYS = Attack("stray", "double fork, setsid, TERM ignored", control="open")
STARTER = Attack("starter-killed", "KILL, STOP, TERM at every layer", control="open")
PARENT = Attack("parent-signalled", "parent killed with 9, job signals its init", control="open")
LEFTOVERS = Attack("leftovers", "leftover SysV, shm, /tmp, mqueues", control="same")
OUTPUT = Attack("output-link", "symlink under the starter's hands", control="root")
FORK_BOMB = Attack("fork-bomb", "fork bomb", control="open")
