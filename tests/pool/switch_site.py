"""The switch on the test pools' execute point: engine, first stage, settings, and something that listens as journald does."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable

from execute_point import ACCOUNTS, ENGINE, EXECUTE, RUN, SETTINGS, ExecutePoint

CHECK = "/usr/local/libexec/sheepfold/account-check"

AUDIT = "/run/audit"
"""The records, one a line: journald itself runs in the lab (tests/site)."""

FIRST_STAGE = f"""#!/bin/busybox sh
problem=$( (umask 077; /bin/busybox cat "/proc/$$/environ" >"{RUN}/$$.environ") 2>&1) || {{
  /bin/busybox rm -f "{RUN}/$$.environ" .job_wrapper_failure
  /bin/busybox echo "The switch cannot begin: $problem" >.job_wrapper_failure || {{
    /bin/busybox grep -qx condor_starter "/proc/$PPID/comm" && /bin/busybox kill -QUIT "$PPID"
  }}
  exit 202
}}
exec /bin/busybox env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \\
  /usr/bin/python3 -I -S {ENGINE}/switch job {RUN}/$$.environ "$@"
"""

COMMAND = f"""import sys
sys.path.insert(0, "{ENGINE}")
from sheepfold_switch.command import main
main()
"""

PAYLOAD_COMMAND = f'#!/bin/sh\nexec /usr/bin/python3 -I -S {ENGINE}/switch payload "$@"\n'
CHECK_COMMAND = f"#!/bin/sh\nexec /usr/bin/python3 -I -S {ENGINE}/switch check\n"

_LISTENER = """
import json, os, socket
out = open("%s", "a", buffering=1)
os.makedirs("/run/systemd/journal", exist_ok=True)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind("/run/systemd/journal/socket")
os.chmod("/run/systemd/journal/socket", 0o666)
while True:
    data, control, _, _ = listener.recvmsg(1 << 20, 1024)
    fields = {"_UID": int.from_bytes(control[0][2][4:8], "little")}
    while data:
        name, _, rest = data.partition(b"\\n")
        if b"=" in name:
            name, _, value = name.partition(b"=")
            data = rest
        else:
            length = int.from_bytes(rest[:8], "little")
            value, data = rest[8 : 8 + length], rest[9 + length :]
        fields[name.decode(errors="replace")] = value.decode(errors="replace")
    out.write(json.dumps(fields) + "\\n")
"""


def install(site: ExecutePoint, settings: Iterable[tuple[str, object]] = (), accounts: int = len(ACCOUNTS)) -> None:
    """Deploy the switch with these settings besides those that every host has."""
    files = [
        (f"{ENGINE}/switch", COMMAND),
        ("/usr/local/bin/sheepfold-payload", PAYLOAD_COMMAND),
        (CHECK, CHECK_COMMAND),
    ]
    site.install_switch(_settings(settings, accounts), FIRST_STAGE, accounts=ACCOUNTS[:accounts], files=files)
    site.world.popen(["python3", "-c", _LISTENER % AUDIT])
    site.pool.wait((site.world.root / "run/systemd/journal/socket").exists, "a listener for records")


def configure(site: ExecutePoint, *settings: tuple[str, object], accounts: int = len(ACCOUNTS)) -> None:
    """Change the settings: the next job finds these besides those that every host has."""
    site.world.write(SETTINGS, "".join(f"{name} = {value}\n" for name, value in _settings(settings, accounts)))


def records(site: ExecutePoint, cluster: str, event: str = "", kind: str = "job") -> list[dict[str, str]]:
    """The records of a job, in their order."""
    path = site.world.root / AUDIT.lstrip("/")
    # A record that is only half written yet is read the next time.
    found = [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    wanted = {"SHEEPFOLD_JOB": f"{cluster}.0", "SHEEPFOLD_KIND": kind, **({"SHEEPFOLD_EVENT": event} if event else {})}
    return [record for record in found if wanted.items() <= record.items()]


def record(site: ExecutePoint, cluster: str, event: str, kind: str = "job") -> dict[str, str]:
    """Wait for a record of a job: the first of its kind."""
    return site.pool.wait(lambda: records(site, cluster, event, kind), f"a record of job {cluster}: {event} of its {kind}")[0]


def processes_of(site: ExecutePoint, *uids: int) -> list[int]:
    """Pids (as the world sees them) of the processes with one of these ids in any place."""
    found = []
    for entry in (site.world.root / "proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            ids = next((line.split()[1:] for line in entry.read_text().splitlines() if line.startswith("Uid:")), [])
            if {str(uid) for uid in uids} & set(ids):
                found.append(int(entry.parent.name))
    return sorted(found)


def check(site: ExecutePoint) -> dict[str, str]:
    """Do by hand what STARTD_CRON does: the attributes, as they are in an ad."""
    lines = site.as_condor([CHECK]).stdout.splitlines()
    return {name: value for name, equals, value in (line.partition(" = ") for line in lines) if equals}


def _settings(settings: Iterable[tuple[str, object]], accounts: int) -> list[tuple[str, object]]:
    return [
        ("execute", EXECUTE),
        ("startd_address", "/srv/condor/p220/log/.startd_address"),
        *(("account", f"{name} {number}") for name, number in ACCOUNTS[:accounts]),
        *settings,
    ]
