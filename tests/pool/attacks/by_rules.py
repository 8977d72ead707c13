"""What the site's rules are to stop. The control is the same job on the same host without the rule."""

from __future__ import annotations

from collections.abc import Callable

from .answer import Answer
from .attack import Attack
from .ground import HERE, Ground

_HANGS = "/usr/local/libexec/hangs"
_ADMISSION = "admission"
_PAYLOAD = "payloads"
_PILOT = (HERE / "payload_caller.py").read_text()
_JOB = "#!/bin/sh\necho BREACH the job ran\n"
PREPARATION = f"""
printf '#!/bin/sh\\ntrap "" TERM\\nsetsid sleep 98721 &\\nsleep 98721\\n' >{_HANGS}
chmod 755 {_HANGS}
install -m 755 /dev/null /srv/forged/evil
printf '#!/bin/sh\\necho BREACH the job ran\\n' >/srv/forged/evil
ln -sf /srv/forged/evil /usr/local/bin/looks-installed
install -d /srv/forged/alice
printf 'Owner = "alice"\\nUser = "alice@site.test"\\n' >/srv/forged/alice/.job.ad
"""


def _ran(name: str, user: str = "alice") -> Callable[[Ground, str], Answer]:
    """Whether the job, or its payload, ran."""

    def judge(ground: Ground, cluster: str) -> Answer:
        output = ground.output(name, user=user)
        breach = next((line for line in output.splitlines() if line.startswith("BREACH")), "")
        words = breach.partition(" ")[2] or output or ground.output(name, "log", user).partition("execute the job: ")[2]
        return Answer(bool(breach), words)

    return judge


def _another_pilot(ground: Ground, cluster: str) -> None:
    """Have another user's job run meanwhile: its monitor listens for calls."""
    ground.submit("pilot", "#!/bin/sh\nsleep 15\n", user="bob")


def _undecided(ground: Ground, cluster: str) -> Answer:
    """Whether the job holds its slot while nothing decides."""
    name = "plugin-that-hangs"
    ground.site.pool.wait(lambda: ground.site.commands("sleep 98721") or "wrapper failed" in ground.output(name, "log"), name, 40)
    return ground.stays(lambda: "nobody decides" if ground.site.commands("sleep 98721") else "", 6)


_Rules = tuple[tuple[str, object], ...]
_ALL_MAY_CALL: _Rules = (("payload_caller", "*@site.test"),)
# Rules that stop one job each go together: what they say of the others' jobs is that they may run.
_PATTERNS: _Rules = (*_ALL_MAY_CALL, ("admission_pattern", "/usr/bin/*"), ("admission_pattern", "/usr/local/bin/*"))
_LOCAL: _Rules = (*_ALL_MAY_CALL, ("admission_executables", "local"))
_USERS: _Rules = (("payload_caller", "carol@*"), ("admission_refused_user", "bob@*"))


def _refused(name: str, rules: _Rules, *lines: str, user: str = "alice") -> Attack:
    return Attack(
        name,
        _ADMISSION,
        _JOB,
        lines=lines,
        rules=rules,
        control_rules=_ALL_MAY_CALL,
        judge=_ran(name, user),
        user=user,
    )


def _pilot(name: str, rules: _Rules, arguments: str, during: Callable[[Ground, str], None] | None = None) -> Attack:
    """A job of a program that is installed, with a script: it calls for a payload."""
    return Attack(
        name,
        _PAYLOAD,
        _PILOT,
        lines=(
            "executable = /usr/bin/python3",
            "transfer_executable = false",
            f"transfer_input_files = /home/alice/{name}/{name}",
            f"arguments = {name} {arguments}",
        ),
        rules=rules,
        control_rules=_ALL_MAY_CALL,
        during=during,
        judge=_ran(name),
    )


def _installed(path: str) -> tuple[str, str]:
    return f"executable = {path}", "transfer_executable = false"


_UNCOVER = """#!/usr/bin/python3 -I
import ctypes, os, time
time.sleep(4)  # for another job to start
libc = ctypes.CDLL(None)
uid = os.getuid()
if libc.unshare(0x10020000):
    print("no user namespace")
for name, content in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {os.getgid()} 1")):
    try:
        with open(f"/proc/self/{name}", "w") as file:
            file.write(content)
    except OSError as error:
        print(error)
execute = os.environ["EXECUTE"]
for place in (execute, "/proc", "/tmp"):
    libc.umount2(place.encode(), 2)
own = os.environ["_CONDOR_SCRATCH_DIR"] + "/"
others = [name for name in os.listdir(execute) if not own.startswith(f"{execute}/{name}/")]
daemons = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{pid}/comm") as file:
            daemons += [pid] if "condor_" in file.read() else []
    except OSError:
        continue  # it has just ended
what = f"{len(others)} other sandboxes and {len(daemons)} daemons as {os.getuid()}"
print("BREACH sees" if others or daemons else "sees", what)
"""

ATTACKS = [
    Attack(
        "uncovered-mounts",
        "nested userns, where they are open",
        _UNCOVER,
        "uid",
        rules=(("user_namespaces", "yes"),),
        during=_another_pilot,
    ),
    _refused("pattern-by-traversal", _PATTERNS, *_installed("/usr/bin/../../srv/forged/evil")),
    _refused("pattern-by-link", _PATTERNS, *_installed("/usr/local/bin/looks-installed")),
    _refused("sent-along", _LOCAL),
    _refused("banned-with-forged-ad", _USERS, "transfer_input_files = /srv/forged/alice/.job.ad", user="bob"),
    _pilot("payload-with-another-path", _PATTERNS, "claims-to-be /usr/bin/python3"),
    _pilot("payload-sent-along", _LOCAL, "own"),
    _pilot("payload-by-other-account", _ALL_MAY_CALL, "others", _another_pilot),
    _pilot("payload-by-no-caller", _USERS, "own"),
    Attack(
        "plugin-that-hangs",
        _ADMISSION,
        _JOB,
        rules=(("admission_plugin", _HANGS), ("admission_plugin_timeout", 1)),
        control_rules=(("admission_plugin", _HANGS), ("admission_plugin_timeout", 300)),
        judge=_undecided,
        endless=True,
    ),
]
