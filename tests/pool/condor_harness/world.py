"""A world: namespaces (mount, pid, network, uts, ipc) over a root file system, gone with the test.

The root is the lower layer of an overlay, so that a world can write wherever it likes. The first process of the pid
namespace reads a pipe of the test's process: when that dies, however it dies, the pipe closes, the first process
ends, and the kernel kills whatever ran in the world.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .cgroups import CgroupTree

_SETUP = r"""
set -e
mount -t tmpfs -o mode=0755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
mount -t proc proc "$1/root/proc"
mount -t tmpfs -o mode=0755 tmpfs "$1/root/dev"
mkdir -m 1777 "$1/root/dev/shm"
mkdir "$1/root/dev/pts"
for node in null zero full random urandom tty; do
    : >"$1/root/dev/$node"
    mount --bind "/dev/$node" "$1/root/dev/$node"
done
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
ip link set lo up
if [ "$3" ]; then
    mount -t sysfs -o ro sysfs "$1/root/sys"
    mount -t cgroup2 cgroup2 "$1/root/sys/fs/cgroup"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$1/root/dev/pts"
    ln -s pts/ptmx "$1/root/dev/ptmx"
    # What is mounted here later appears there too.
    mount --make-rshared "$1/root"
    # Its namespace is entered by way of this process. (It cannot always be kept as a file: the kernel refuses that
    # by the order of the namespaces' numbers, which is not that of their making.)
    unshare --mount --propagation slave sh -ec '
        cd "$1"; pivot_root . mnt; umount -l /mnt; echo ready; exec sleep infinity >/dev/null
    ' host "$1/root" &
fi
# An ignored SIGCHLD makes the kernel reap whatever is orphaned in this namespace, also after the exec.
# (Not by the shell's trap: dash keeps SIGCHLD for itself.)
[ "$3" ] || echo ready
exec env --ignore-signal=CHLD cat >/dev/null
"""

_UNSHARE = ["unshare", "--mount", "--propagation", "private", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"]
_IN_CGROUP = ["sh", "-ec", 'echo $$ >"$0/cgroup.procs"; exec "$@"']


@dataclass(frozen=True)
class CommandResult:
    """What a command in the world answered."""

    args: list[str]
    rc: int
    stdout: str
    stderr: str


class World:
    """Namespaces over an overlay of ``root``. Use as a context manager, or call :meth:`close`.

    ``like_host``: the overlay is the root of a mount namespace of its own, not only a chroot, where the kernel refuses
    user namespaces; with ``/sys``, pseudo-terminals and a cgroup namespace over a tree of control groups. Needs cgroup2.
    """

    def __init__(self, root: Path, label: str = "pool", *, like_host: bool = False) -> None:
        """Make the namespaces. Raises RuntimeError with mount's own words when that fails."""
        self.base = Path(tempfile.mkdtemp(prefix=f"sheepfold-{label}-"))
        self.cgroups = CgroupTree(self.base.name.rsplit("-", 1)[-1]) if like_host else None
        command = [*_UNSHARE, "sh", "-c", _SETUP, "world", str(self.base), str(root), "like-host" if like_host else ""]
        if self.cgroups:
            command = [*_IN_CGROUP, str(self.cgroups.path), "unshare", "--cgroup", *command]
        self._init = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._init.stdout is not None
        if self._init.stdout.readline().strip() != "ready":
            _, errors = self._init.communicate()
            self._forget_files()
            raise RuntimeError(f"cannot set up a world over {root}: {errors.strip()}")
        self.pid = _child(self._init.pid)
        # The process in the namespace whose root is the overlay.
        self._host_pid = _child(self.pid) if like_host else 0
        self._pid_namespace = str(Path(f"/proc/{self.pid}/ns/pid").readlink())
        # The overlay as it is seen from outside.
        self.root = Path(f"/proc/{self.pid}/root{self.base}/root")

    def __enter__(self) -> World:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process of the world and forget its files. Safe to call twice."""
        if self._init.poll() is None:
            # The first process is gone only when all others of its pid namespace are: wait for it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            try:
                self._init.wait(20)
            except subprocess.TimeoutExpired:
                self._init.kill()
                self._init.wait()
        for stream in (self._init.stdin, self._init.stdout, self._init.stderr):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        self._forget_files()

    def _forget_files(self) -> None:
        shutil.rmtree(self.base, ignore_errors=True)
        if self.cgroups:
            self.cgroups.remove()

    def enter(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str = "root",
        netns: str = "",
        chroot: bool = True,
        cwd: str = "/",
    ) -> list[str]:
        """The command line that runs ``args`` in the world, from outside."""
        command = ["nsenter", "-t", str(self.pid), "-m", "-p", "-n", "-u", "-i"]
        if self._host_pid and chroot:
            command = ["nsenter", "-t", str(self._host_pid), "-m", "-p", "-n", "-u", "-i", "-C"]
        if netns:
            command += ["nsenter", f"--net=/run/netns/{netns}"]
        if not chroot:
            return [*command, *args]
        if self._host_pid:
            if user != "root":
                command += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        elif user == "root":
            command += ["chroot", f"{self.base}/root"]
        else:
            command += ["chroot", f"--userspec={user}", f"{self.base}/root"]
        home = "/root" if user == "root" else f"/home/{user}"
        settings = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "LANG": "C.UTF-8", **(env or {})}
        command += ["env", "-i", f"--chdir={cwd}", *(f"{key}={value}" for key, value in settings.items())]
        return [*command, *args]

    def run(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str = "root",
        netns: str = "",
        chroot: bool = True,
        cwd: str = "/",
        check: bool = True,
        timeout: float = 180,
        input: str | None = None,
    ) -> CommandResult:
        """Run a command to its end. Raises AssertionError (check) or subprocess.TimeoutExpired, after killing it."""
        process = subprocess.Popen(
            self.enter(args, env=env, user=user, netns=netns, chroot=chroot, cwd=cwd),
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except BaseException:
            # The process group: nsenter's child is in it too.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        result = CommandResult(list(args), process.returncode, stdout, stderr)
        if check and result.rc != 0:
            raise AssertionError(f"{shlex.join(args)}: rc {result.rc}\n{stdout}\n{stderr}")
        return result

    def popen(self, args: Sequence[str], *, env: Mapping[str, str] | None = None, netns: str = "") -> subprocess.Popen[bytes]:
        """Start a long-running command; it ends with the world at the latest."""
        return subprocess.Popen(
            self.enter(args, env=env, netns=netns),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def write(self, path: str, content: str, *, mode: int = 0o644, owner: tuple[int, int] = (0, 0)) -> None:
        """Write a file of the world; directories above it are made."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=mode)
        target.chmod(mode)
        os.chown(target, *owner)
        target.write_text(content)

    def read(self, path: str) -> str:
        """A file of the world."""
        return (self.root / path.lstrip("/")).read_text(errors="replace")

    def bind(self, source: Path, target: str) -> None:
        """Show ``source`` of the machine read-only at ``target`` of the world."""
        inside = f"{self.base}/root/{target.lstrip('/')}"
        if source.is_dir():
            (self.root / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
        else:
            self.write(target, "")
        self.run(["mount", "--bind", str(source), inside], chroot=False)
        self.run(["mount", "-o", "remount,bind,ro", inside], chroot=False)

    def statuses(self) -> Iterator[dict[str, str]]:
        """``/proc/*/status`` of the processes that the world sees, in the order of their pids: each field by its name."""
        for entry in sorted((self.root / "proc").glob("[0-9]*"), key=lambda path: int(path.name)):
            try:
                status = (entry / "status").read_text()
            except OSError:
                continue  # it has just ended
            yield dict(re.findall(r"^(\w+):[ \t]*(.*)$", status, re.MULTILINE))

    def small(self, target: str, options: str) -> None:
        """Mount a tmpfs over a directory of the world, with mount's own ``options`` (``size=4m``); its owner and mode stay."""
        inside = f"{self.base}/root/{target.lstrip('/')}"
        status = (self.root / target.lstrip("/")).stat()
        whose = f"uid={status.st_uid},gid={status.st_gid},mode={stat.S_IMODE(status.st_mode):o}"
        self.run(["mount", "-t", "tmpfs", "-o", f"{options},{whose}", "tmpfs", inside], chroot=False)

    def resize(self, target: str, options: str) -> None:
        """Give what :meth:`small` has mounted other options. Raises AssertionError when it does not fit."""
        self.run(["mount", "-o", f"remount,{options}", f"{self.base}/root/{target.lstrip('/')}"], chroot=False)

    def address(self, *addresses: str, device: str = "lo", netns: str = "") -> None:
        """Give the world addresses (with prefix length) on ``device``."""
        for address in addresses:
            self.run(["ip", "address", "replace", address, "dev", device], chroot=False, netns=netns)

    def network(self, name: str) -> None:
        """Make a further network namespace of the world: ``netns=name`` of the other methods."""
        self.run(["ip", "netns", "add", name], chroot=False)
        self.run(["ip", "link", "set", "lo", "up"], chroot=False, netns=name)

    def processes(self, command: str = "", environment: str = "") -> list[int]:
        """Pids (as the machine sees them) of the world's processes by name and a line of their environment."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if str((entry / "ns/pid").readlink()) != self._pid_namespace:
                    continue
                name = (entry / "comm").read_text().strip()
                lines = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if (not command or name == command[:15]) and (not environment or environment.encode() in lines):
                found.append(int(entry.name))
        return sorted(found)


def find(directory: Path, name: str) -> list[Path]:
    """Files below whose name fits the pattern; what goes while this looks is passed over, unlike by :meth:`Path.rglob`."""
    return [Path(place, file) for place, _, files in os.walk(directory) for file in fnmatch.filter(files, name)]


def _child(pid: int) -> int:
    """The only child of a process."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def kill(pids: Iterable[int], number: int = signal.SIGKILL) -> None:
    """Send a signal to processes by pid; one that is gone already is no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_for(question: object, what: str, timeout: float = 120, interval: float = 0.1) -> object:
    """Ask until the answer is true; the answer. Raises AssertionError naming ``what``."""
    assert callable(question)
    end = time.monotonic() + timeout
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout:g} s")
        time.sleep(interval)
