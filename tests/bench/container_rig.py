# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A flocking container on this host's kernel: image, arguments, seccomp profile and start script as the roles have them.

A world (namespaces, see tests/pool) holds a central manager on the VLAN and a dockerd of its own, whose "em1.2512" is
a veth. Whatever runs there ends with the world. Needs root, docker.io, iproute2, e2fsprogs and mmdebstrap.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jinja2

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "plugins" / "module_utils"), str(REPO / "tests" / "pool")]

from condor_harness import CommandResult, Master, Pool, build_root
from condor_harness.pool import CM_AND_AP
from image.build import BuiltImage, ImageDefinition, build, cached

from tests.bench.closing import Closing

GATEWAY, ADDRESS, MAC = "10.27.2.1", "10.27.2.220", "02:42:0a:1b:02:dc"
INTERFACE, NETWORK, NODE = "em1.2512", "macvlan2512", "node"
SOCKET, REMAP_START = "/run/flock-docker/docker.sock", 1879048192
DOMAIN = "site.test"
SCRIPT = "/usr/local/lib/sheepfold/flock-startd"

PLAN: dict[str, Any] = {
    "dns_servers": ["203.0.113.53"],
    "network": NETWORK,
    "lease_seconds": 900,
    "container": {"cpus": 1, "memory_mb": 512, "disk_mb": 256, "shm_mb": 64, "slots": 2, "pids": 512, "runtime": ""},
}
NODE_PLAN = {"hostname": "f220.sips", "address": ADDRESS, "mac": MAC, "interface": INTERFACE}
DEFAULTS: dict[str, Any] = {
    "flock_startd_cgroup_parent": "flock.slice",
    "flock_startd_oom_score_adj": 500,
    "flock_startd__root_id": REMAP_START,
    "flock_startd_history_mb": 16,
    "flock_startd_tmp_mb": 64,
    "flock_startd_log_mb": 64,
    "flock_startd_extra_arguments": [],
    "flock_startd_extra_syscalls": [],
}

CM_CONFIG = f"""{CM_AND_AP}
ALLOW_ADVERTISE_STARTD = f220@{DOMAIN}, condor@{DOMAIN}
ALLOW_ADVERTISE_MASTER = f220@{DOMAIN}, condor@{DOMAIN}
"""

CONTAINER_CONFIG = f"""\
use security : recommended_v9_0
DAEMON_LIST = MASTER, STARTD
CONDOR_HOST = {GATEWAY}
COLLECTOR_HOST = {GATEWAY}:9618
USE_SHARED_PORT = True
SHARED_PORT_PORT = 9618
NETWORK_INTERFACE = {ADDRESS}
NETWORK_HOSTNAME = f220.sips
STARTD_NAME = f220.sips
MASTER_NAME = f220.sips
NO_DNS = True
DEFAULT_DOMAIN_NAME = sips
BIND_ALL_INTERFACES = False
ENABLE_IPV6 = False
ENABLE_KERNEL_TUNING = False
TRUST_DOMAIN = {DOMAIN}
UID_DOMAIN = {DOMAIN}
FILESYSTEM_DOMAIN = f220
SEC_DEFAULT_AUTHENTICATION_METHODS = IDTOKENS
SEC_TOKEN_SYSTEM_DIRECTORY = /etc/condor/tokens.d
SEC_PASSWORD_DIRECTORY = /etc/condor/passwords.d
STARTER_ALLOW_RUNAS_OWNER = False
EXECUTE_LOGIN_IS_DEDICATED = True
SLOT1_USER = flockslot1
SLOT1_1_USER = flockslot1
SLOT1_2_USER = flockslot2
DEDICATED_EXECUTE_ACCOUNT_REGEXP = flockslot[0-9]+
STARTER = /usr/local/lib/sheepfold/condor_starter
MEMORY = 512
NUM_CPUS = 2
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
UPDATE_INTERVAL = 5
START = True
ALLOW_ADMINISTRATOR = condor@{DOMAIN}
RUNBENCHMARKS = False
STARTD_HISTORY = /var/lib/condor/history/startd
"""

_HOST = r"""
set -e
mount -t proc proc /proc
for directory in etc var/lib usr/local; do
    mkdir -p "$1/upper/$directory" "$1/work/$directory"
    mount -t overlay -o "lowerdir=/$directory,upperdir=$1/upper/$directory,workdir=$1/work/$directory" overlay "/$directory"
done
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock /etc/sheepfold/flock_startd /etc/sheepfold/image /etc/sheepfold/docker
# Docker's data and the job's scratch lie on the disk, not in memory, and not on an overlay.
mkdir -p "$1/docker" "$1/state" /var/lib/flock-docker /var/lib/sheepfold /usr/local/lib/sheepfold
mount --bind "$1/docker" /var/lib/flock-docker
mount --bind "$1/state" /var/lib/sheepfold
echo 'flockremap:x:987:987::/nonexistent:/usr/sbin/nologin' >>/etc/passwd
echo 'flockremap:x:987:' >>/etc/group
echo "flockremap:$2:65536" | tee -a /etc/subuid >>/etc/subgid
"""

_VLAN = r"""
set -e
ip link add vlan type veth peer name em1.2512
ip link set vlan up
ip address add 10.27.2.1/24 dev vlan
ip link set em1.2512 netns node
ip netns exec node ip link set em1.2512 up
"""


def flock_image(*extra: str) -> BuiltImage:
    """The image, from the cache or built."""
    cache = Path(os.environ.get("SHEEPFOLD_CACHE") or Path.home() / ".cache" / "sheepfold")
    definition = ImageDefinition("trixie", extra, "", "", platform.machine())
    return cached(definition, cache) or build(definition, cache)


class Rig(Closing):
    """Central manager, dockerd and one flocking container. Use as a context manager."""

    def __init__(self, packages: tuple[str, ...] = (), **settings: Any) -> None:
        self.image = flock_image(*packages)
        self.disk = Path(tempfile.mkdtemp(prefix="sheepfold-rig-", dir="/var/tmp"))
        self.log = self.disk / "container.log"
        self.pool = Pool(build_root("trixie"), "rig")
        self.world = self.pool.world
        self.settings = {**DEFAULTS, **settings}

    def close(self) -> None:
        """End everything and leave nothing behind."""
        with contextlib.suppress(Exception):
            self.script("clean")
        self.pool.close()
        shutil.rmtree(self.disk, ignore_errors=True)
        for group in Path("/sys/fs/cgroup").glob("*/flock.slice"):
            for child in sorted(group.rglob("*"), reverse=True):
                if child.is_dir():
                    with contextlib.suppress(OSError):
                        child.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()

    def host(
        self, *args: str, netns: str = "", check: bool = True, timeout: float = 60, stdin: str | None = None
    ) -> CommandResult:
        """Run a command as on the node."""
        return self.world.run(args, chroot=False, netns=netns, check=check, timeout=timeout, input=stdin)

    def docker(self, *args: str, check: bool = True, timeout: float = 60) -> CommandResult:
        """Run Debian's docker client against the flock's dockerd."""
        return self.host("/usr/bin/docker", "--host", f"unix://{SOCKET}", *args, check=check, timeout=timeout)

    def write(self, path: str, content: str, mode: str = "0644", owner: int = 0) -> None:
        """Write a file of the node."""
        self.host(
            "sh",
            "-c",
            'mkdir -p "${1%/*}"; cat >"$1"; chmod "$2" "$1"; chown "$3:$3" "$1"',
            "sh",
            path,
            mode,
            str(owner),
            stdin=content,
        )

    def script(self, action: str, check: bool = True) -> CommandResult:
        """Run the start script as flock-startd.service does."""
        # The PATH leaves out clients in /usr/local, which may be newer than the dockerd understands.
        return self.host("env", "PATH=/usr/bin:/usr/sbin", "sh", SCRIPT, action, check=check, timeout=180)

    def render(self, template: str, role: str = "flock_startd", **variables: Any) -> str:
        """Render a template of a role."""
        loader = jinja2.FileSystemLoader(REPO / "roles" / role / "templates")
        environment = jinja2.Environment(loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined)
        environment.filters["to_json"] = environment.filters["tojson"]
        # The settings are typed already.
        options = {name.removeprefix("flock_startd_"): value for name, value in self.settings.items()}
        values = {"flock_plan": PLAN, "flock_node": NODE_PLAN, "flock_startd__options": options, **self.settings, **variables}
        return environment.get_template(template).render(values)

    def _set_up(self) -> None:
        self.host("sh", "-c", _HOST, "sh", str(self.disk), str(REMAP_START))
        self.world.network(NODE)
        self.host("sh", "-c", _VLAN)
        self.cm: Master = self.pool.start_master("submit", CM_CONFIG, address=GATEWAY, collector=GATEWAY, domain=DOMAIN)
        self._start_dockerd()
        self.write("/usr/local/lib/sheepfold/flock-network", (REPO / "roles/macvlan/files/flock-network").read_text(), "0755")
        for _again in range(2):
            network = ("/usr/local/lib/sheepfold/flock-network", NETWORK, INTERFACE, "10.27.2.0/24", GATEWAY)
            self.host("env", "PATH=/usr/bin:/usr/sbin", *network)
        self._install()

    def _start_dockerd(self) -> None:
        variables = {"macvlan_runtimes": {}, "macvlan_bridge": "flock0"}
        self.write("/etc/sheepfold/docker/daemon.json", self.render("daemon.json.j2", "macvlan", **variables))
        # The site's bridge, and the flock's own (flock-docker.service).
        for bridge in ("docker0", "flock0"):
            self.host("ip", "link", "add", bridge, "type", "bridge", netns=NODE)
        self.host("ip", "address", "replace", "192.0.2.1/30", "dev", "flock0", netns=NODE)
        command = self.world.enter(
            ["sh", "-c", "exec dockerd --config-file /etc/sheepfold/docker/daemon.json >/run/dockerd.log 2>&1"],
            chroot=False,
            netns=NODE,
        )
        self.dockerd = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + 30
        while self.docker("version", check=False).rc:
            if time.monotonic() > end:
                raise AssertionError("dockerd does not answer: " + self.host("tail", "-n", "20", "/run/dockerd.log").stdout)
            time.sleep(0.2)

    def _install(self) -> None:
        for name in ("flock-startd", "flock-starter"):
            self.write(f"/usr/local/lib/sheepfold/{name}", (REPO / "roles/flock_startd/files" / name).read_text(), "0755")
        self.write("/etc/sheepfold/image/id", self.image.id + "\n")
        archive = f"/var/lib/sheepfold/image/{self.image.id.split(':')[1]}.tar.gz"
        self.host("install", "-D", self.image.archive, archive)
        self.write("/etc/sheepfold/flock_startd/seccomp.json", self.render("seccomp.json.j2"))
        self.write("/etc/sheepfold/flock_startd/settings", self.render("settings.j2"))
        self.write("/etc/sheepfold/flock_startd/container.args", self.render("container.args.j2"))
        self.write("/etc/sheepfold/flock_startd/config.d/10-test.conf", CONTAINER_CONFIG)
        token = self.pool.token(self.cm, f"f220@{DOMAIN}", ["READ", "ADVERTISE_STARTD", "ADVERTISE_MASTER"])
        self.write("/etc/sheepfold/flock_startd/tokens.d/flock", token + "\n", "0600", REMAP_START)
        self.write("/etc/sheepfold/flock_startd/passwords.d/f220", "k" * 64, "0600", REMAP_START)
        for directory in ("tokens.d", "passwords.d"):
            self.host("chown", f"{REMAP_START}:{REMAP_START}", f"/etc/sheepfold/flock_startd/{directory}")
            self.host("chmod", "0700", f"/etc/sheepfold/flock_startd/{directory}")

    def start(self) -> float:
        """Start the container as the service does; seconds from nothing to its slot in the collector."""
        begin = time.monotonic()
        self.script("prepare")
        command = self.world.enter(
            ["env", "PATH=/usr/bin:/usr/sbin", "docker", "--host", f"unix://{SOCKET}", "start", "--attach", "flock_startd"],
            chroot=False,
        )
        with self.log.open("w") as log:
            self.attached = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.pool.wait(self.slots, "the slot of f220", 40)
        return time.monotonic() - begin

    def slots(self) -> list[dict[str, Any]]:
        """The container's slots, as the collector has them."""
        return [ad for ad in self.pool.ads(attributes=["Name", "State", "Activity", "Machine"]) if "f220" in ad["Name"]]

    def forget(self) -> None:
        """Have the collector forget the container's ads."""
        self.attached.wait(20)
        for kind in ("INVALIDATE_STARTD_ADS", "INVALIDATE_MASTER_ADS"):
            query = 'MyType = "Query"\nTargetType = "Machine"\nRequirements = Name =?= "f220.sips" || Machine =?= "f220.sips"\n'
            self.cm.run(["condor_advertise", kind, "-"], input=query, check=False)
        self.pool.wait(lambda: not self.slots(), "the slot of f220 gone", 20)
