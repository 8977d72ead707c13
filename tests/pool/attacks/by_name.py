"""Names and words: who somebody says he is, what a command line may hold, who may call."""

from __future__ import annotations

from execute_point import SWITCH

from .answer import BLOCKED, Answer, answer
from .attack import Attack
from .ground import EVIL, Ground

_ECHO = """#!/bin/sh
for word in "$@"; do echo "<$word>"; done
"""
_WORDS = ["; touch /srv/evil/words", "", "$(touch /srv/evil/words)", "`touch /srv/evil/words`", "../../..", "--help", "-c", "a b"]

_FORGED_RECORD = """#!/usr/bin/python3 -I
import socket
fields = {
    "MESSAGE": "job 1.0 of mallory ended: exit 0",
    "SHEEPFOLD_EVENT": "end",
    "SHEEPFOLD_JOB": "forged",
    "SHEEPFOLD_USER": "mallory",
}
data = "".join(f"{name}={value}\\n" for name, value in fields.items()).encode()
try:
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(data, "/run/systemd/journal/socket")
    print("sent")
except OSError as error:
    print(error)
"""

_TERMINAL_JOB = """import fcntl, sys
try:
    fcntl.ioctl(0, 0x5412, b"x")
    print("BREACH typed into the terminal")
except OSError as error:
    print("refused:", error)
"""

# A starter, as far as the switch can tell, at a terminal.
_STARTER_AT_TERMINAL = """
import os, pty, sys
place, wrapper = sys.argv[1:]
os.makedirs(place, exist_ok=True)
pid, terminal = pty.fork()
if pid == 0:
    os.chdir(place)
    code = "import os, sys; sys.exit(os.waitstatus_to_exitcode(os.spawnv(os.P_WAIT, sys.argv[1], sys.argv[1:4]) << 8))"
    os.execv("/usr/bin/python3", ["condor_starter", "-c", code, wrapper, "/usr/bin/python3", "job.py", "-a", "slot1_9"])
output = b""
try:
    while b"typed" not in output and b"refused" not in output:
        output += os.read(terminal, 1000)
except OSError:
    output += b"(the end)"
print(output.decode())
"""


def _argv(ground: Ground, cluster: str) -> Answer:
    if ground.exists(f"{EVIL}/words"):
        return Answer(True, "an argument was executed")
    expected = [f"<{word}>" for word in _WORDS]
    got = ground.output("odd-arguments").splitlines()
    return BLOCKED if got == expected else Answer(True, f"arguments came as {got}")


def _owner(ground: Ground, cluster: str) -> Answer:
    if not ground.protected:
        return answer('forged-ad "root"' in ground.marks(), "a wrapper that reads .job.ad records root")
    owners = {record["SHEEPFOLD_USER"] for record in ground.records() if record.get("SHEEPFOLD_JOB") == f"{cluster}.0"}
    return answer(owners != {"alice@site.test"}, f"recorded as {owners}")


def _record(ground: Ground, cluster: str) -> Answer:
    forged = [record for record in ground.records() if record.get("SHEEPFOLD_JOB") == "forged"]
    as_daemons = [record for record in forged if record["_UID"] == ground.daemons_id()]
    return Answer(
        bool(as_daemons), "a forged record bears condor's uid" if as_daemons else f"told by its uid: {len(forged)} came"
    )


def _as_daemons(name: str, script: str, *lines: str) -> Attack:
    def judge(ground: Ground, cluster: str) -> Answer:
        output = ground.output(name).strip()
        return Answer(output == str(ground.daemons_id()), f"ran as {output or 'nobody'}")

    return Attack(name, "/bin/sh, path traversal", script, lines=lines, judge=judge)


def _foreign_map(ground: Ground, cluster: str) -> Answer:
    """Newuidmap for a delegated id: by alice, and with the control by the daemons' user."""
    words = ["unshare", "--user", "--map-users=0:200001:1", "--setuid", "0", "id", "-u"]
    run = ground.world.run(words, user="alice", check=False) if ground.protected else ground.site.as_condor(words, check=False)
    return Answer(run.rc == 0, "is pool01" if run.rc == 0 else run.stderr.strip())


def _root_map(ground: Ground, cluster: str) -> Answer:
    """Newuidmap for uid 0, which is delegated to nobody: by the daemons' user, and with the control by root."""
    words = ["unshare", "--user", "--map-users=0:0:1", "id", "-u"]
    run = ground.site.as_condor(words, check=False) if ground.protected else ground.world.run(words, check=False)
    return Answer(run.rc == 0, "is root" if run.rc == 0 else run.stderr.strip())


def _foreign_call(ground: Ground, cluster: str) -> Answer:
    """The switch called by somebody who has an account on the host, in the starter's place."""
    switch = [SWITCH, "/usr/bin/id", "-u"]
    naive = ["sudo", "-n", "/usr/local/libexec/naive-switch", "pool01", "/usr/bin/id", "-u"]
    run = ground.world.run(switch if ground.protected else naive, user="alice", cwd="/home/alice", check=False)
    return Answer(run.stdout.strip() == "200001", "alice became pool01" if run.rc == 0 else run.stderr.strip())


def _terminal(ground: Ground, cluster: str) -> Answer | None:
    place = "/srv/condor/p220/execute/dir_99999"
    ground.world.run(["install", "-d", "-o", "condor", "-g", "condor", place])
    ground.world.write(f"{place}/job.py", _TERMINAL_JOB)
    ground.world.run(["chown", "condor:condor", f"{place}/job.py"])
    wrapper = "/usr/local/libexec/attacked-wrapper"
    run = ground.site.as_condor(["timeout", "20", "python3", "-c", _STARTER_AT_TERMINAL, place, wrapper], check=False)
    ground.world.run(["rm", "-rf", place])
    return Answer("BREACH" in run.stdout, " ".join(run.stdout.split())) if run.stdout else None


ATTACKS = [
    Attack(
        "odd-arguments",
        "`;`, empty argument, path traversal",
        _ECHO,
        "eval",
        lines=('arguments = "' + " ".join("'" + word + "'" for word in _WORDS) + '"',),
        judge=_argv,
    ),
    _as_daemons(
        "shell-as-executable", "#!/bin/sh\n", "executable = /bin/sh", "transfer_executable = false", "arguments = \"-c 'id -u'\""
    ),
    _as_daemons(
        "path-traversal", "#!/bin/sh\n", "executable = /usr/bin/../lib/../bin/id", "transfer_executable = false", "arguments = -u"
    ),
    Attack(
        "forged-owner",
        "forged LOGNAME, forged .job.ad",
        "#!/bin/sh\nexit 0\n",
        lines=("transfer_input_files = /srv/forged/.job.ad",),
        environment={"LOGNAME": "root", "USER": "root", "_CONDOR_SLOT": "slot1_99", "_CONDOR_SCRATCH_DIR": "/etc/victims"},
        judge=_owner,
    ),
    Attack("forged-record", "audit record by the job itself", _FORGED_RECORD, judge=_record),
    Attack("newuidmap-by-alice", "wrong caller", judge=_foreign_map),
    Attack("newuidmap-of-root", "uid 0", judge=_root_map),
    Attack("switch-by-alice", "wrong caller", judge=_foreign_call),
    Attack("terminal", "TIOCSTI", judge=_terminal),
]

PREPARATION = """
install -d /srv/forged
printf 'Owner = "root"\\nUser = "root@site.test"\\nClusterId = 999\\n' >/srv/forged/.job.ad
"""
