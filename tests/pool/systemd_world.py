"""A world whose first process is systemd: units, their users, credentials and sandboxes are real. No controller of cgroups is."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from condor_harness import World
from condor_harness.world import CgroupTree

# cgroup2 without controllers, wherever the machine has it: systemd only needs the tree.
_SETUP = r"""
set -e
mount -t tmpfs -o mode=0755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=0755 tmpfs dev
mkdir -m 1777 dev/shm
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
for node in null zero full random urandom tty; do
    : >"dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
ip link set lo up
echo "$3" >etc/hostname
hostname "$3"
echo "127.0.0.1 localhost $3" >etc/hosts
: >etc/resolv.conf
rm -f etc/systemd/system/multi-user.target.wants/*
ln -s /dev/null etc/systemd/system/tmp.mount
# Not a chroot: sandboxes of units move the root of the mount namespace. From outside it is known by its old name.
mkdir -p .machine ".$1"
ln -s / ".$1/root"
pivot_root . .machine
cd /
umount -l /.machine
# As on a booted machine: a service's credentials are mounted by a helper in a namespace of its own.
mount --make-rshared /
echo ready
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/lib/systemd/systemd >/dev/null 2>&1
"""
_UNSHARE = [
    "unshare",
    "--cgroup",
    "--mount",
    "--propagation",
    "private",
    "--pid",
    "--net",
    "--uts",
    "--ipc",
    "--fork",
    "--kill-child",
]
# When the test's process ends, however it does, so does unshare, and with it the first process.
_BOUND = ["setpriv", "--pdeathsig", "KILL"]


class SystemdWorld(World):
    """A world with systemd as its first process; nothing is enabled."""

    def __init__(self, root: Path, label: str = "systemd", hostname: str = "submit") -> None:
        """Boot it. Raises RuntimeError when that fails."""
        self.base = Path(tempfile.mkdtemp(prefix=f"sheepfold-{label}-"))
        self.cgroups = CgroupTree(self.base.name.rsplit("-", 1)[-1])
        join = f'echo $$ >"{self.cgroups.path}/cgroup.procs" && exec "$@"'
        self._host_pid = 0
        self._init = subprocess.Popen(
            ["sh", "-c", join, "join", *_BOUND, *_UNSHARE, "sh", "-c", _SETUP, "world", str(self.base), str(root), hostname],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._init.stdout is not None
        if self._init.stdout.readline().strip() != "ready":
            _, errors = self._init.communicate()
            self.close()
            raise RuntimeError(f"cannot set up a world over {root}: {errors.strip()}")
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()
        self.pid = int(children[0])
        self._pid_namespace = str(Path(f"/proc/{self.pid}/ns/pid").readlink())
        self.root = Path(f"/proc/{self.pid}/root")
        end = time.monotonic() + 60
        while self.run(["systemctl", "is-system-running", "--wait"], check=False).stdout.strip() not in ("running", "degraded"):
            if time.monotonic() > end:
                self.close()
                raise RuntimeError("systemd did not start within 60 s")
            time.sleep(0.2)
