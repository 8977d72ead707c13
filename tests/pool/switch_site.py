"""The switch on the test pools' execute point: engine, first stage, settings, and something that listens as journald does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import jinja2
from execute_point import ACCOUNTS, ENGINE, EXECUTE, LIBEXEC, RUN, SETTINGS, STARTER, ExecutePoint

CHECK = "/usr/local/libexec/sheepfold/account-check"

AUDIT = "/run/audit"
"""The records, one a line: journald itself runs in the lab (tests/site)."""

_TEMPLATES = Path(__file__).resolve().parents[2] / "roles/execute_node/templates"

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


def program(name: str) -> str:
    """One of the role's programs, from its template."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters["comment"] = "# {}".format
    return environment.from_string((_TEMPLATES / f"{name}.j2").read_text()).render(
        ansible_managed="Ansible managed",
        execute_node_busybox="/bin/busybox",
        execute_node__lib=ENGINE,
        execute_node__libexec=LIBEXEC,
        execute_node__python="/usr/bin/python3",
        execute_node__run=RUN,
        execute_node__starter="/usr/sbin/condor_starter",
    )


def install(site: ExecutePoint, settings: Iterable[tuple[str, object]] = (), accounts: int = len(ACCOUNTS)) -> None:
    """Deploy the switch with these settings besides those that every host has."""
    files = [
        (f"{ENGINE}/switch", program("switch")),
        ("/usr/local/bin/sheepfold-payload", program("sheepfold-payload")),
        (CHECK, program("account-check")),
        (STARTER, program("job-starter")),
        (f"{LIBEXEC}/job-follow", program("job-follow")),
    ]
    site.install_switch(_settings(settings, accounts), program("job-switch"), accounts=ACCOUNTS[:accounts], files=files)
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
    wanted = {str(uid) for uid in uids}
    return [int(status["Pid"]) for status in site.world.statuses() if wanted & set(status["Uid"].split())]


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
