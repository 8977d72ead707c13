"""A site with a flock, and a foreign pool, on their own networks: the role `pool` as it is, applied by Ansible to real HTCondor.

p220 ── lan 10.27.1.0/24 ── submit ── wan 203.0.113.0/24 ── remote
└─ vlan 10.27.2.0/24 ── f220
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from condor_harness import CommandResult, Master, Pool, Root
from condor_harness.pool import PATIENCE

PROJECT = Path(__file__).resolve().parents[2]
FLOCK_POOL = "10.27.2.1:9618?sock=flock_collector"
SITE_POOL_SEEN_BY_FLOCK = "10.27.2.1:9618?sock=collector"
COMMAND_TOKENS = "/etc/sheepfold/pool/commands.d"
OUT_TOKEN = "/srv/condor/submit/tokens.d/remote"

SITE = """\
use role : Submit
DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD
BIND_ALL_INTERFACES = True
MIN_FLOCK_LEVEL = 1
# What a site has for single daemons is in force there in place of what it has for all.
DENY_READ_COLLECTOR = 192.0.2.0/24
ALLOW_ADVERTISE_STARTD_COLLECTOR = condor@site.test, root@site.test
SCHEDD.DENY_READ = 192.0.2.0/24
NEGOTIATOR.NEGOTIATOR_SLOT_CONSTRAINT = True
DC_DAEMON_LIST = +DEFRAG
"""
NODE = """\
DAEMON_LIST = MASTER, STARTD
FLOCK_TESTED = True
STARTD.STARTD_ATTRS = COLLECTOR_HOST_STRING
"""
# The foreign pool says that its users are the site's. FS would win over the token where hosts share a file system, as they
# do in a world: the schedd may use its token alone.
REMOTE = """\
DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD, STARTD
SCHEDD.SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS
ALLOW_ADVERTISE_SCHEDD = condor@remote.test, sips@remote.test
ALLOW_READ = *
MIN_FLOCK_LEVEL = 1
UID_DOMAIN = site.test
START = TARGET.Owner =?= "alice"
"""
IMPATIENT = "UPDATE_INTERVAL = 5\nMASTER_UPDATE_INTERVAL = 5\n"
# Where the container has it by a mount, hosts of the harness, which share their files, have what the roles bring.
CONTAINER_STARTER = "/srv/condor/f220/condor_starter"
FLOCK: dict[str, Any] = {
    "vlan_id": 2512,
    "parent": "em1",
    "subnet": "10.27.2.0/24",
    "gateway": "10.27.2.1",
    "wan_interface": "wan",
    "private_networks": ["10.27.1.0/24"],
    "dns_servers": ["203.0.113.53"],
    "domain": "sips",
    "central_manager": {"host": "submit", "wan_address": "203.0.113.1"},
    "container": {"cpus": 2, "memory_mb": 1024, "disk_mb": 1024, "slots": 2},
    "flock_in": [{"name": "remote", "access_points": ["203.0.113.9"]}],
    "flock_out": [{"name": "remote", "central_manager": "203.0.113.9", "token_file": OUT_TOKEN}],
}
PLAYBOOK = """\
- hosts: {hosts}
  gather_facts: false
  any_errors_fatal: true
  roles: [sheepfold.htcondor.pool]
"""
RENDER = """\
- hosts: p220
  gather_facts: false
  roles: [sheepfold.htcondor.flock]
  tasks:
    - ansible.builtin.copy:
        content: "{{ lookup('ansible.builtin.template', template) }}"
        dest: "{{ target }}"
        mode: "0644"
      delegate_to: localhost
      connection: local
"""
GATEWAY = """\
table inet gateway {
  chain forward {
    type filter hook forward priority 0; policy drop;
    iifname "vlan" ip daddr 10.0.0.0/8 drop
    iifname "vlan" oifname "wan" accept
    oifname "vlan" ct state established,related accept
  }
  chain input {
    type filter hook input priority 0; policy accept;
    iifname "vlan" ip daddr != 10.27.2.1 drop
    iifname "wan" ip daddr != 203.0.113.1 drop
  }
  chain nat {
    type nat hook postrouting priority 100; policy accept;
    ip saddr 10.27.2.0/24 oifname "wan" masquerade
  }
}
"""


class Site:
    """The site before anything of the flock is there; :meth:`apply` brings it."""

    lines = ""
    """Lines of the site's own on each of its hosts."""
    hosts: tuple[str, ...] = ("submit", "p220")
    managers: tuple[str, ...] = ("submit",)

    def __init__(self, root: Root) -> None:
        self.pool = Pool(root, "site")
        self._scratch = tempfile.TemporaryDirectory(prefix="sheepfold-site-")
        self.scratch = Path(self._scratch.name)
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End everything."""
        self.pool.close()
        self._scratch.cleanup()

    def _start(self) -> None:
        world = self.pool.world
        for name in ("switch", "submit", "p220", "f220", "remote"):
            world.network(name)
        for bridge in ("lan", "vlan", "wan"):
            self._ip("switch", "link", "add", bridge, "type", "bridge")
            self._ip("switch", "link", "set", bridge, "up")
        for host, bridge, address in (
            ("submit", "lan", "10.27.1.1/24"),
            ("submit", "vlan", "10.27.2.1/24"),
            ("submit", "wan", "203.0.113.1/24"),
            ("p220", "lan", "10.27.1.220/24"),
            ("f220", "vlan", "10.27.2.220/24"),
            ("remote", "wan", "203.0.113.9/24"),
        ):
            self._plug(host, bridge, address)
        self._ip("f220", "route", "add", "default", "via", "10.27.2.1")
        world.run(["nft", "-f", "-"], chroot=False, netns="submit", input=GATEWAY)
        world.run(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"], chroot=False, netns="submit")
        self.submit = self.pool.start_master("submit", SITE + self.lines, address="10.27.1.1", netns="submit")
        self.p220 = self.pool.start_master("p220", NODE + self.lines, address="10.27.1.220", netns="p220")
        self._start_further()
        self.remote = self.pool.start_master(
            "remote", REMOTE, address="203.0.113.9", netns="remote", collector="203.0.113.9", domain="remote.test"
        )
        self.pool.wait_startds("p220")
        self.pool.wait(lambda: self.status(self.remote), "the remote pool's startd", 120)
        token = self.pool.token(self.remote, "sips@remote.test", ["READ", "ADVERTISE_SCHEDD"])
        world.write(OUT_TOKEN, token + "\n", mode=0o600)

    def _start_further(self) -> None:
        """Start further hosts of the site, beside submit and p220."""

    def _ip(self, netns: str, *words: str) -> None:
        self.pool.world.run(["ip", *words], chroot=False, netns=netns)

    def _plug(self, host: str, bridge: str, address: str) -> None:
        # The name on the host's side is the network's.
        self._ip("switch", "link", "add", f"{bridge}-{host}", "type", "veth", "peer", "name", bridge, "netns", host)
        self._ip("switch", "link", "set", f"{bridge}-{host}", "master", bridge, "up")
        self._ip(host, "address", "add", address, "dev", bridge)
        self._ip(host, "link", "set", bridge, "up")

    # Ansible

    def apply(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the role on the central manager and the node."""
        return self._ansible(PLAYBOOK.format(hosts=":".join(self.hosts)), *arguments, check=check)

    def _ansible(self, playbook: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        inventory, play = self.scratch / "hosts.json", self.scratch / "play.yml"
        inventory.write_text(json.dumps(self._inventory()))
        play.write_text(playbook)
        answer = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, play, *arguments],
            cwd=self.scratch,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.scratch),
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "build" / "collections"),
                # Hosts that share their files would meet in one directory, which a site's hosts cannot.
                "ANSIBLE_FORKS": "1",
                "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_SSH_ARGS": "",
                "ANSIBLE_SSH_TRANSFER_METHOD": "piped",
                "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
            },
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if check and answer.returncode:
            raise AssertionError(f"{answer.stdout[-6000:]}\n{answer.stderr[-2000:]}\n{self.pool.tails()}")
        return answer

    def _inventory(self) -> dict[str, Any]:
        hosts = {}
        for name in self.hosts:
            master = self.pool.masters[name]
            # Ansible's ssh, as a step into the namespaces: the last word is the command.
            script = self.scratch / f"ssh-{master.name}"
            enter = self.pool.world.enter(self.shell(name), env=master.env, netns=master.netns)
            script.write_text(f'#!/bin/bash\nexec {shlex.join(enter)} "${{@: -1}}"\n')
            script.chmod(0o755)
            hosts[master.name] = {
                "ansible_ssh_executable": str(script),
                "ansible_python_interpreter": "/usr/bin/python3",
                "ansible_remote_tmp": "/tmp/ansible",
                "pool_config_directory": f"{master.dir}/config.d",
            }
        groups = {"flock_gateway": ["submit"], "flock_central_manager": list(self.managers), "flock_access_point": ["submit"]}
        groups["flock_nodes"] = ["p220", "p221"]
        return {
            "all": {
                # root has the site's token, which the collector of the harness asks for.
                "vars": {"flock": FLOCK, "pool_mirror_user": "root", "pool_mirror_seconds": 1, "pool_restart_consent": True},
                "hosts": hosts,
                "children": {name: {"hosts": dict.fromkeys(members)} for name, members in groups.items()},
            }
        }

    def shell(self, _host: str) -> list[str]:
        """What runs a command, its last word, on a host of the site."""
        return ["sh", "-c"]

    # The flock

    def start_container(self) -> Master:
        """Start f220 with the configuration that role flock_startd mounts and the credentials that role pool has issued."""
        target = self.scratch / "container.conf"
        template = PROJECT / "roles/flock_startd/templates/condor/60-flock.conf.j2"
        self._ansible(RENDER, "--limit", "p220,localhost", "-e", f"template={template} target={target}")
        world = self.pool.world
        f220 = self.pool.add_master(
            "f220",
            f"{target.read_text()}{IMPATIENT}STARTER = {CONTAINER_STARTER}\n",
            address="10.27.2.220",
            netns="f220",
            keys={},
            token=False,
        )
        for directory in ("/etc/condor/tokens.d", "/etc/condor/passwords.d"):
            world.run(["install", "-d", "-m", "0700", directory])
        world.run(["install", "-d", "-o", "condor", "-g", "condor", "/var/lib/condor/history"])
        starter = (PROJECT / "roles/flock_startd/files/flock-starter").read_text()
        world.write(CONTAINER_STARTER, starter, mode=0o755)
        self.give_token()
        world.run(["cp", "-p", "/etc/sheepfold/pool/f220/passwords.d/f220", "/etc/condor/passwords.d/f220"])
        f220.start()
        return f220

    def give_token(self) -> None:
        """Bring the container its token, as role flock_startd does."""
        self.pool.world.run(["cp", "-p", "/etc/sheepfold/pool/f220/token", "/etc/condor/tokens.d/flock"])

    def invite_remote(self) -> None:
        """What the remote pool's administrator does with what was handed over."""
        self.pool.put_token(self.remote, "flock.sips", self.pool.world.read("/etc/sheepfold/pool/out/remote/token").strip())
        self.remote.configure(self.pool.world.read("/etc/sheepfold/pool/out/remote/60-flock.conf"), "60-flock.conf")
        self.remote.reconfig()

    def lease(self, seconds: int) -> None:
        """Open the container for so long, from the central manager, with its own command token."""
        self.pool.world.write("/tmp/lease", f"FlockOpenUntil = {int(time.time()) + seconds}\n")
        env = {"_CONDOR_SEC_TOKEN_DIRECTORY": COMMAND_TOKENS}
        pool = self.submit.run(["condor_config_val", "FLOCK_COLLECTOR_HOST"]).stdout.strip()
        self.submit.run(["condor_update_machine_ad", "-pool", pool, "-name", "f220.sips", "/tmp/lease"], env=env)

    # Questions

    def status(self, master: Master, *options: str, pool: str = "", env: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """Ads as a host sees them; none when the collector does not answer."""
        answer = self.ask(master, *options, pool=pool, env=env)
        return json.loads(answer.stdout) if answer.rc == 0 and answer.stdout.strip() else []

    def ask(self, master: Master, *options: str, pool: str = "", env: dict[str, str] | None = None) -> CommandResult:
        """condor_status and its complaints."""
        where = ["-pool", pool] if pool else []
        return master.run(["condor_status", *where, *options, "-json"], check=False, env=env or {})

    def names(self, *options: str, pool: str = FLOCK_POOL) -> set[str]:
        """Names of the ads in a collector, as the central manager sees them."""
        return {str(ad["Name"]) for ad in self.status(self.submit, *options, pool=pool)}

    def wait(self, question: Callable[[], Any], what: str, timeout: float = PATIENCE) -> Any:
        """Ask until the answer is true."""
        return self.pool.wait(question, what, timeout)


def job(line: str = "", seconds: int = 0, label: str = "job") -> str:
    """A submit description of a job that says who it is."""
    return (
        "executable = /bin/sh\n"
        f"arguments = \"-c 'id -un; sleep {seconds}'\"\n"
        "transfer_executable = false\nshould_transfer_files = yes\nrequest_memory = 64\nrequest_disk = 1024\n"
        f"output = {label}.out\nerror = {label}.err\nlog = {label}.log\n{line}\nqueue\n"
    )
