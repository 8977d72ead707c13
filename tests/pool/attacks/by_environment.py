"""What a submitter may put into the environment, aimed at the stages before the job."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from .answer import BLOCKED, Answer, answer
from .attack import Attack
from .ground import EVIL, Ground

_JOB = "#!/bin/busybox sh\necho done\n"
_ITEM = "environment injection"

PREPARATION = f"""
install -d {EVIL}/bin {EVIL}/python {EVIL}/gconv {EVIL}/lib
echo 'echo BASH_ENV $(/usr/bin/id -u) >>{EVIL}/log' >{EVIL}/bash.sh
echo 'echo ENV $(/usr/bin/id -u) >>{EVIL}/log' >{EVIL}/env.sh
printf '#!/bin/sh\\necho PATH $(/usr/bin/id -u) >>{EVIL}/log\\n' >{EVIL}/bin/id
for name in sh cat env busybox python3 newuidmap newgidmap condor_status; do cp {EVIL}/bin/id {EVIL}/bin/$name; done
chmod 755 {EVIL}/bin/*
echo 'import os; os.system("echo PYTHONPATH $(/usr/bin/id -u) >>{EVIL}/log")' >{EVIL}/python/sitecustomize.py
cp $(ls /lib/*/libm.so.6 /usr/lib/*/libm.so.6 2>/dev/null | head -n 1) {EVIL}/lib/evil.so
cp $(ls /usr/lib/*/gconv/ISO8859-1.so | head -n 1) {EVIL}/gconv/EVIL.so
printf 'module INTERNAL EVIL// EVIL 1\\nmodule EVIL// INTERNAL EVIL 1\\n' >{EVIL}/gconv/gconv-modules
"""
"""What the variables point to. Libraries need no code of their own: LD_DEBUG tells whose process loaded them."""


def _loaded(needle: str) -> Callable[[Ground, str], Answer]:
    """Whether the dynamic loader, as the daemons' user, came across a file: by its own trace, a file of that user."""

    def judge(ground: Ground, cluster: str) -> Answer:
        words = ["grep", "-lrs", needle, EVIL, "--include=trace.*"]
        for path in ground.world.run(words, check=False).stdout.split():
            if int(ground.world.run(["stat", "-c", "%u", path]).stdout) == ground.daemons_id():
                return Answer(True, f"{needle} loaded as condor")
        return BLOCKED

    return judge


def _said(word: str) -> Callable[[Ground, str], Answer]:
    """Whether a program of the submitter's ran as the daemons' user: it wrote a word and its uid."""

    def judge(ground: Ground, cluster: str) -> Answer:
        return answer(f"{word} {ground.daemons_id()}\n" in ground.marks(), f"{word}: ran as condor")

    return judge


def _look(ground: Ground, cluster: str) -> None:
    """Look for the job's variables in the environment of the daemons' processes, while the job runs."""
    name = "any-variable"
    ground.site.pool.wait(lambda: ground.started(cluster) and "job" in ground.processes(name), f"{name} running", 60)
    for entry in (ground.world.root / "proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            uid = entry.stat().st_uid
            if uid == ground.daemons_id() and b"MARK=of-the-job" in (entry / "environ").read_bytes().split(b"\0"):
                ground.notes[name] = f"process {entry.name} of condor has the job's environment"


def _seen(ground: Ground, cluster: str) -> Answer:
    return answer("any-variable" in ground.notes, ground.notes.get("any-variable", ""))


# What no shell and no library honours any more, or only at times: it is nowhere near the daemons' processes.
_ANY = {
    "MARK": "of-the-job",
    "IFS": "/",
    "GLIBC_TUNABLES": "glibc.malloc.check=3",
    "PYTHONSTARTUP": f"{EVIL}/python/sitecustomize.py",
    "PYTHONHOME": EVIL,
    "LOCPATH": EVIL,
    "PERL5OPT": "-MEvil",
    "_CONDOR_WRAPPER_ERROR_FILE": "/etc/victims/link",
    "CONDOR_CONFIG": f"{EVIL}/condor_config",
}


def _trace(name: str) -> dict[str, str]:
    return {"LD_DEBUG": "all", "LD_DEBUG_OUTPUT": f"{EVIL}/trace.{name}"}


ATTACKS = [
    Attack(
        "LD_PRELOAD",
        _ITEM,
        _JOB,
        environment={"LD_PRELOAD": f"{EVIL}/lib/evil.so", **_trace("preload")},
        judge=_loaded(f"calling init: {EVIL}/lib/evil.so"),
    ),
    Attack(
        "LD_AUDIT",
        _ITEM,
        _JOB,
        environment={"LD_AUDIT": f"{EVIL}/lib/evil.so", **_trace("audit")},
        judge=_loaded(f"{EVIL}/lib/evil.so"),
    ),
    Attack(
        "LD_LIBRARY_PATH",
        _ITEM,
        _JOB,
        environment={"LD_LIBRARY_PATH": f"{EVIL}/lib/path", **_trace("path")},
        judge=_loaded(f"{EVIL}/lib/path"),
    ),
    Attack(
        "GCONV_PATH",
        _ITEM,
        _JOB,
        "iconv",
        environment={"GCONV_PATH": f"{EVIL}/gconv", **_trace("gconv")},
        judge=_loaded(f"calling init: {EVIL}/gconv/EVIL.so"),
    ),
    Attack("BASH_ENV", _ITEM, _JOB, "bash", environment={"BASH_ENV": f"{EVIL}/bash.sh"}, judge=_said("BASH_ENV")),
    Attack("ENV", _ITEM, _JOB, "interactive", environment={"ENV": f"{EVIL}/env.sh"}, judge=_said("ENV")),
    Attack("PYTHONPATH", _ITEM, _JOB, "python", environment={"PYTHONPATH": f"{EVIL}/python"}, judge=_said("PYTHONPATH")),
    Attack("PATH", _ITEM, _JOB, "path", environment={"PATH": f"{EVIL}/bin:/usr/bin:/bin"}, judge=_said("PATH")),
    Attack("any-variable", _ITEM, "#!/bin/busybox sh\nsleep 6\n", "waiting", environment=_ANY, during=_look, judge=_seen),
]
