"""A site with one execute point: ``p220`` is the world itself, with systemd; role ``execute_node`` as Ansible applies it there.

submit (central manager and access point, with root) ── lan 10.27.1.0/24 ── p220
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from condor_harness import Pool
from condor_harness.pool import CM_AND_AP, EP
from condor_harness.world import find
from flock_site import Site
from systemd_world import SystemdWorld

DIRECTORY = "/srv/condor/p220"
EXECUTE = f"{DIRECTORY}/execute"
SERVICE = "condor.service"
FIRST_ID = 2_100_000_000
STRAY = 4321
"""Seconds for which the process sleeps that a job leaves in a session of its own: it is known by them."""

CENTRAL = f"""{CM_AND_AP}
ALLOW_ADVERTISE_STARTD = *@site.test
ALLOW_ADVERTISE_MASTER = *@site.test
ALLOW_ADMINISTRATOR = condor@site.test
JOB_STOP_COUNT = 10
"""
NODE = f"""{EP}
USE_PROCD = True
MASTER.SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS
STARTD.SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS
MachineMaxVacateTime = 5
KILLING_TIMEOUT = 5
STARTER_UPDATE_INTERVAL = 3
"""
# In its own cgroup namespace a unit is at a root: beside version 1 of the control groups HTCondor finds itself nowhere else
# (it reads no further than the first line of /proc/self/cgroup). What it makes there is still within the unit's.
UNIT = f"""[Service]
Environment=CONDOR_CONFIG={DIRECTORY}/condor_config
ProtectControlGroups=private
RestartSec=1
"""
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapAmb")
# What tools that make accounts leave: their locks, and copies of the files before. And what is there for a job's time.
_COMES_AND_GOES = re.compile(
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-|\.lock\b|__pycache__|/run/sheepfold/execute_node/."
)
PLAY = """\
- hosts: p220
  gather_facts: false
  roles: [sheepfold.htcondor.execute_node]
"""


class NodeSite(Site):
    """The site; :meth:`apply` brings the role to its node."""

    def _start(self) -> None:
        self.pool.close()
        root = self.pool.root
        self.pool = Pool(root, "node", SystemdWorld(root.path, "node", "p220"))
        self.before: list[str] = []
        """What a run of the role steps through before its command on the node: see :meth:`pretending`."""
        world = self.pool.world
        self._ip("", "link", "add", "lan", "type", "bridge")
        self._ip("", "link", "set", "lan", "up")
        world.address("10.27.1.220/24", device="lan")
        world.network("submit")
        self._ip("", "link", "add", "lan-submit", "type", "veth", "peer", "name", "lan", "netns", "submit")
        self._ip("", "link", "set", "lan-submit", "master", "lan", "up")
        self._ip("submit", "address", "add", "10.27.1.1/24", "dev", "lan")
        self._ip("submit", "link", "set", "lan", "up")
        self.submit = self.pool.start_master("submit", CENTRAL, address="10.27.1.1", netns="submit")
        self.p220 = self.pool.add_master("p220", NODE, address="10.27.1.220")
        world.write(f"/etc/systemd/system/{SERVICE}.d/site.conf", UNIT)
        world.run(["systemctl", "daemon-reload"])
        world.run(["systemctl", "start", SERVICE])
        self.pool.wait_startds("p220")
        self.condor = int(world.run(["id", "-u", "condor"]).stdout)

    # Ansible

    def apply(self, *arguments: str, check: bool = True, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Run the role, with these variables besides those of every run."""
        return self._ansible(PLAY, *arguments, *_extra(variables), check=check)

    def refusals(self, cases: dict[str, dict[str, Any]]) -> dict[str, str]:
        """Why the role refuses each set of variables; empty for those that it does not."""
        files = {name: self.scratch / f"{name}.refused" for name in cases}
        plays = []
        for name, variables in cases.items():
            role = {"ansible.builtin.include_role": {"name": "sheepfold.htcondor.execute_node"}}
            keep = {"content": "{{ [ansible_failed_result.msg] | flatten | first }}", "dest": str(files[name]), "mode": "0644"}
            told = {"ansible.builtin.copy": keep, "delegate_to": "localhost", "connection": "local"}
            tasks = [{"block": [role], "rescue": [told]}]
            plays.append({"hosts": "p220", "gather_facts": False, "vars": variables, "tasks": tasks})
        self._ansible(json.dumps(plays))
        return {name: path.read_text() if path.exists() else "" for name, path in files.items()}

    @contextlib.contextmanager
    def pretending(self, mount: str) -> Iterator[None]:
        """Let the role see other files of the kernel's: a mount command, for its eyes alone."""
        self.before = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", f'{mount}; exec "$@"', "sh"]
        yield
        self.before = []

    @contextlib.contextmanager
    def beside(self, **variables: Any) -> Iterator[Future[subprocess.CompletedProcess[str]]]:
        """Run the role while the test goes on; it has ended at the end of the block."""
        with ThreadPoolExecutor(1) as executor:
            yield executor.submit(self.apply, **variables)

    def _inventory(self) -> dict[str, Any]:
        script = self.scratch / "ssh-p220"
        enter = self.pool.world.enter([*self.before, "sh", "-c"], env=self.p220.env)
        script.write_text(f'#!/bin/bash\nexec {shlex.join(enter)} "${{@: -1}}"\n')
        script.chmod(0o755)
        connection = {
            "ansible_ssh_executable": str(script),
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_remote_tmp": "/tmp/ansible",
            "execute_node_config_directory": f"{DIRECTORY}/config.d",
        }
        return {"all": {"hosts": {"p220": connection}}}

    # Jobs

    def job(self, script: str, *lines: str, label: str = "job", user: str = "alice") -> str:
        """Submit a shell script; its output goes to ``LABEL.out``. The cluster."""
        path = f"/home/{user}/{label}.sh"
        self.pool.world.write(path, f"#!/bin/sh\n{script}\n", mode=0o755)
        description = (
            f"executable = {path}\nshould_transfer_files = yes\nrequest_memory = 64\nrequest_disk = 1024\n"
            f"output = {label}.out\nerror = {label}.err\nlog = {label}.log\n" + "".join(f"{line}\n" for line in lines) + "queue\n"
        )
        return self.pool.submit(self.submit, description, user)

    def output(self, label: str, user: str = "alice") -> str:
        """What a job's script wrote."""
        return self.pool.world.read(f"/home/{user}/{label}.out")

    def ran(self, script: str, *lines: str, label: str = "job") -> str:
        """Run a script as a job to its end; its output."""
        ad = self.pool.wait_job(self.submit, self.job(script, *lines, label=label), 4)
        assert ad["ExitCode"] == 0, (ad["ExitCode"], self.pool.world.read(f"/home/alice/{label}.err"))
        return self.output(label)

    def running(self, script: str = "", *lines: str, label: str = "job") -> str:
        """Submit a job that says that it has started, waits for :meth:`release` and runs a script; the cluster, when it has."""
        wait = f"touch {label}.started; while [ ! -e {label}.go ]; do sleep 0.1; done"
        cluster = self.job(f"{wait}; {script}", *lines, label=label)
        self.pool.wait_job(self.submit, cluster, 2)
        self.wait(lambda: self._started(label), f"the start of {label}")
        return cluster

    def release(self, label: str) -> None:
        """Let such a job go on to its end."""
        started = self._started(label)[0]
        owner = started.stat()
        go = started.with_name(f"{label}.go")
        go.touch()
        os.chown(go, owner.st_uid, owner.st_gid)

    def _started(self, label: str) -> list[Path]:
        return find(self.pool.world.root / EXECUTE[1:], f"{label}.started")

    def undisturbed(self, cluster: str, label: str) -> None:
        """Let a job that :meth:`running` has started go on, and assert that it comes to its end in one piece."""
        self.release(label)
        ad = self.pool.wait_job(self.submit, cluster, 4)
        assert (ad["NumShadowStarts"], ad["NumJobStarts"], ad["ExitCode"]) == (1, 1, 0), ad

    def remove(self, cluster: str) -> None:
        """Remove a job, and wait until it is gone."""
        self.submit.run(["condor_rm", cluster], check=False)
        self.submit.run(["condor_rm", "-forcex", cluster], check=False)

    # What is there

    def processes(self) -> list[dict[str, str]]:
        """``/proc/*/status`` of the processes of the service, and whether they have a user namespace of their own."""
        group = self.pool.world.run(["systemctl", "show", "-P", "ControlGroup", SERVICE]).stdout.strip()
        if not group:
            return []
        pids = self.pool.world.run(["sh", "-c", f"cat $(find /sys/fs/cgroup{group} -name cgroup.procs)"], check=False).stdout
        found = []
        for pid in sorted(pids.split(), key=int):
            with contextlib.suppress(OSError):
                text = (self.pool.world.root / f"proc/{pid}/status").read_text()
                fields = dict(re.findall(r"^(\w+):[ \t]*(.*)$", text, re.MULTILINE))
                hosts = (self.pool.world.root / "proc/1/ns/user").readlink()
                fields["Namespace"] = "host" if (self.pool.world.root / f"proc/{pid}/ns/user").readlink() == hosts else "own"
                found.append(fields)
        return found

    def daemons(self) -> list[dict[str, str]]:
        """The same of HTCondor's own."""
        return [status for status in self.processes() if status["Name"].startswith("condor_")]

    def of_accounts(self) -> list[str]:
        """Processes of the pool accounts, of the service or not: name, pid and uid."""
        table = ((status["Name"], status["Pid"], int(status["Uid"].split()[0])) for status in self.pool.world.statuses())
        return [f"{name} {pid} {uid}" for name, pid, uid in table if FIRST_ID <= uid < FIRST_ID + 1000]

    def strays(self) -> list[int]:
        """Pids of what jobs have left in sessions of their own, whoever's they are."""
        found = []
        for entry in (self.pool.world.root / "proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (entry / "cmdline").read_bytes() == f"sleep\0{STRAY}\0".encode():
                    found.append(int(entry.name))
        return found

    def sandboxes(self) -> list[str]:
        """Directories of jobs."""
        return self.pool.world.run(["ls", "-A", EXECUTE]).stdout.split()

    def quarantined(self) -> list[str]:
        """Accounts that are out of use."""
        listed = self.pool.world.run(["sh", "-c", "cd /run/sheepfold/execute_node 2>/dev/null && ls"], check=False).stdout.split()
        return [name for name in listed if name.endswith(".quarantine")]

    def machine(self) -> dict[str, Any]:
        """The ad of the node's partitionable slot."""
        answer = self.submit.run(["condor_status", "-json"], check=False).stdout
        return next((ad for ad in json.loads(answer or "[]") if ad["Name"] == "slot1@p220.site.test"), {})

    def records(self, *matches: str) -> list[dict[str, Any]]:
        """The journal's records of these fields."""
        self.pool.world.run(["journalctl", "--sync"])
        lines = self.pool.world.run(["journalctl", "-o", "json", "--all", *matches], check=False).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def fingerprint(self) -> dict[str, str]:
        """What the role may change, by path: content or its hash, owner and mode; and what the service says of itself."""
        script = (
            "find /etc /usr/local /var/spool /var/lib/sheepfold /run/sheepfold " + f"{DIRECTORY}/config.d"
            " -printf '%p %U:%G %m %l\\n' 2>/dev/null;"
            " find /etc /usr/local " + f"{DIRECTORY}/config.d -type f -exec sha256sum {{}} +;"
            f" systemctl show {SERVICE} -p User,DropInPaths,CapabilityBoundingSet,ExecReload,ExecStartPre,Environment"
        )
        found = {}
        for line in self.pool.world.run(["sh", "-c", script], check=False).stdout.splitlines():
            if not _COMES_AND_GOES.search(line):
                key = line.split()[-1] if re.match(r"[0-9a-f]{64} ", line) else line.split()[0].partition("=")[0]
                found[f"{key} {'sum' if re.match(r'[0-9a-f]{64} ', line) else 'stat'}"] = line
        return found

    def since(self) -> str:
        """When the service was started."""
        return self.pool.world.run(["systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", SERVICE]).stdout.strip()


def _extra(variables: dict[str, Any]) -> list[str]:
    return ["-e", json.dumps(variables)] if variables else []


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is not the same, a line each."""
    return [
        f"{before.get(key, 'none')} -> {after.get(key, 'none')}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]
