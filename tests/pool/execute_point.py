"""A site with one execute point ``p220`` whose daemons all run as ``condor`` without capabilities.

The central manager and access point ``submit`` is a regular one. The switch is deployed as role ``execute_node`` does
it: the paths here are that role's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from condor_harness import CommandResult, Master, Pool, Root
from condor_harness.pool import CM_AND_AP, EP
from condor_harness.world import find

LIBEXEC = "/usr/local/libexec/sheepfold"
SWITCH = f"{LIBEXEC}/job-switch"
ENGINE = "/usr/local/lib/sheepfold/execute_node"
SETTINGS = "/etc/sheepfold/execute_node/settings"
RUN = "/run/sheepfold/execute_node"
PAYLOAD = "/run/sheepfold/payload"
EXECUTE = "/srv/condor/p220/execute"

FIRST_ID = 200001
ACCOUNTS = [(f"pool{number:02}", FIRST_ID + number - 1) for number in range(1, 17)]
"""The pool accounts: name, and the id that is user and group."""

_PLUGINS = Path(__file__).resolve().parents[2] / "plugins/module_utils/execute"

CENTRAL = """
ALLOW_ADVERTISE_STARTD = *@site.test
ALLOW_ADVERTISE_MASTER = *@site.test
ALLOW_ADMINISTRATOR = condor@site.test
# A removed job gets its chance to end by itself, but a test does not wait for it for long.
JOB_STOP_COUNT = 10
"""

# As on a real node, condor_procd watches what is in no control group: the daemons' own way to do so, which the other
# tests have, fails in a world of so few processes.
UNPRIVILEGED = """
USE_PROCD = True
SEC_TOKEN_DIRECTORY = $(LOCAL_DIR)/tokens.d
CREATE_CGROUP_WITHOUT_ROOT = True
MachineMaxVacateTime = 5
KILLING_TIMEOUT = 5
STARTER_UPDATE_INTERVAL = 3
STARTER_DEBUG = D_FULLDEBUG
"""

STARTER = f"{LIBEXEC}/job-starter"
WRAPPER = f"USER_JOB_WRAPPER = {SWITCH}\nSTARTER = {STARTER}\n"

_SUSPENDED = 7

JOB = "transfer_executable = false\nshould_transfer_files = yes\nrequest_memory = 64\nrequest_disk = 1024\n"


class ExecutePoint:
    """The pool ``pool`` and its hosts ``cm`` and ``p220``. Use as a context manager, or call :meth:`close`."""

    def __init__(self, root: Root, config: str = "", *, wrapper: bool = True) -> None:
        """Start the site; :meth:`install_switch` comes before the first job when the wrapper is configured."""
        self.pool = Pool(root, "execute", like_host=True)
        self.world = self.pool.world
        try:
            self.cm: Master = self.pool.start_master("submit", CM_AND_AP + CENTRAL)
            # The startd asks it what it can do, before the switch is there.
            self.world.write(STARTER, '#!/bin/sh\nexec /usr/sbin/condor_starter "$@"\n', mode=0o755)
            p220 = EP + UNPRIVILEGED + (WRAPPER if wrapper else "") + config
            self.p220: Master = self.pool.start_master("p220", p220, user="condor")
            self.pool.wait_startds("p220")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ExecutePoint:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything. Safe to call twice."""
        self.pool.close()

    def install_switch(
        self,
        settings: Iterable[tuple[str, object]],
        first_stage: str,
        *,
        accounts: Iterable[tuple[str, int]] = tuple(ACCOUNTS),
        files: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Deploy the engine, its settings, the first stage and the pool accounts with their delegated ids.

        ``settings``: names and values, a name more than once for a list. ``first_stage``: the text of USER_JOB_WRAPPER.
        ``files``: further executables, path and text.
        """
        package = f"{ENGINE}/sheepfold_switch"
        for source in sorted(_PLUGINS.rglob("*.py")):
            path = f"{package}/{source.relative_to(_PLUGINS)}"
            self.world.run(["install", "-d", str(Path(path).parent)])
            self.world.write(path, source.read_text())
        self.world.run(["python3", "-m", "compileall", "-q", package])
        self.world.write(SETTINGS, "".join(f"{name} = {value}\n" for name, value in settings))
        for path, text in ((SWITCH, first_stage), *files):
            self.world.write(path, text, mode=0o755)
        self.world.run(["install", "-d", "-m", "0755", str(Path(RUN).parent)])
        self.world.run(["install", "-d", "-o", "condor", "-g", "condor", "-m", "0700", RUN])
        self.world.run(["install", "-d", "-o", "condor", "-g", "condor", "-m", "0711", PAYLOAD])
        self.add_accounts(accounts)

    def add_accounts(self, accounts: Iterable[tuple[str, int]]) -> None:
        """Make pool accounts (uid = gid) and delegate their ids, one range from the least to the greatest, to condor."""
        pairs = list(accounts)
        for name, number in pairs:
            self._append("/etc/passwd", f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n")
            self._append("/etc/group", f"{name}:x:{number}:\n")
        numbers = [number for _, number in pairs]
        for path in ("/etc/subuid", "/etc/subgid"):
            self._append(path, f"condor:{min(numbers)}:{max(numbers) - min(numbers) + 1}\n")

    def _append(self, path: str, line: str) -> None:
        with (self.world.root / path.lstrip("/")).open("a") as file:
            file.write(line)

    # What a test asks the execute point

    def submit(self, executable: str, *lines: str, user: str = "alice") -> str:
        """Submit a job with its output in ``~/out``, ``~/err`` and ``~/log``, unless ``lines`` say otherwise; the cluster."""
        description = f"executable = {executable}\n{JOB}output = out\nerror = err\nlog = log\n" + "\n".join(lines)
        return self.pool.submit(self.cm, f"{description}\nqueue\n", user)

    def shell(self, script: str, *lines: str, user: str = "alice") -> str:
        """Submit a job whose executable is this text, transferred; the cluster."""
        path = f"/home/{user}/job.sh"
        self.world.write(path, script, mode=0o755)
        return self.submit(path, "transfer_executable = true", *lines, user=user)

    def as_condor(self, args: Sequence[str], **options: Any) -> CommandResult:
        """Run a command on ``p220`` as its daemons run: uid condor, no group beside its own, no capability."""
        return self.p220.run(
            ["setpriv", "--reuid=condor", "--regid=condor", "--clear-groups", "--inh-caps=-all", *args], **options
        )

    def commands(self, command: str) -> list[int]:
        """Pids (as the world sees them, in whatever pid namespace they are) of the processes with this command line."""
        wanted = command.replace(" ", "\0").encode() + b"\0"
        found = []
        for entry in (self.world.root / "proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (entry / "cmdline").read_bytes() == wanted:
                    found.append(int(entry.name))
        return sorted(found)

    def daemon(self, command: str) -> int:
        """The pid of the one process with this command line that was not started by another with the same."""
        found = self.commands(command)
        parents = {int(status["Pid"]): int(status["PPid"]) for status in self.world.statuses()}
        [daemon] = [pid for pid in found if parents.get(pid, pid) not in found]
        return daemon

    def frozen(self) -> list[str]:
        """The control groups of jobs that are frozen."""
        assert self.world.cgroups
        found = []
        for events in find(self.world.cgroups.path / "htcondor", "cgroup.events"):
            with contextlib.suppress(OSError):  # the group is gone
                if "frozen 1" in events.read_text():
                    found.append(events.parent.name)
        return found

    def resume(self, cluster: str) -> None:
        """condor_continue. Where the machine's cgroup2 has no memory controller the starter reports no usage, and with it
        no suspension either: then the queue is told here.
        """
        if self.pool.job(self.cm, cluster)["JobStatus"] != _SUSPENDED:
            self.cm.run(["condor_qedit", cluster, "JobStatus", str(_SUSPENDED)])
        self.cm.run(["condor_continue", cluster])

    def process_table(self) -> list[dict[str, str]]:
        """``/proc/*/status`` of the HTCondor processes of ``p220``: each field by its name, ids and sets as they are there.

        The kernel lets a user see fields such as CapEff of every process, so that this needs no right of its own.
        """
        table = []
        configuration = f"CONDOR_CONFIG={self.p220.env['CONDOR_CONFIG']}".encode()
        for fields in self.world.statuses():
            with contextlib.suppress(OSError):
                environment = self.world.root / f"proc/{fields['Pid']}/environ"
                if fields["Name"].startswith("condor_") and configuration in environment.read_bytes().split(b"\0"):
                    table.append(fields)
        return table
