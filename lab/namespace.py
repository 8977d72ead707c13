"""A host that needs no kernel of its own, as Linux namespaces of this machine: its processes run at the machine's own speed.

It has the guests' root file system, plugs into the same switches and starts the same units. What it writes is in memory and is
gone at its end, unless it was saved. Its processes are in a user namespace, so starting it takes no root.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab import paths, ssh, switch
from lab.image import Image
from lab.process import Daemon
from lab.say import LabError, note
from lab.topology import Host

HERE = Path(__file__).resolve().parent
ENTER = HERE / "enter.sh"
#: Where the host itself sees what it has written on top of the image (lab/enter.sh).
WRITTEN = "/run/lab-written"
_TRIAL_S = 30


def _unshare() -> list[str]:
    namespaces = ["--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
    if os.getuid() == 0:
        return [sys.executable, "-I", str(HERE / "userns.py"), "unshare", *namespaces]
    return ["unshare", "--user", "--map-root-user", "--map-auto", *namespaces]


def why_not(image: Image) -> str:
    """Return why this machine cannot have such hosts, or nothing: found out by trying all that they need."""
    directory = paths.RUN / "trial.root"
    directory.mkdir(parents=True, exist_ok=True)
    try:
        tried = subprocess.run(
            [*_unshare(), "sh", str(ENTER), "try", str(image.root), str(directory)],
            capture_output=True,
            text=True,
            timeout=_TRIAL_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = tried.stderr.strip().splitlines() or [f"unshare ended with {tried.returncode}"]
    return lines[-1] if tried.returncode else ""


def wanted(image: Image) -> bool:
    """Whether hosts without a kernel of their own are to be in namespaces; SHEEPFOLD_LAB_NAMESPACES decides by hand."""
    said = os.environ.get("SHEEPFOLD_LAB_NAMESPACES", "")
    if said not in {"", "yes", "no"}:
        raise LabError(f'SHEEPFOLD_LAB_NAMESPACES is "{said}"; expected "yes" or "no"')
    if said == "no":
        note("all hosts are guests, as SHEEPFOLD_LAB_NAMESPACES says")
        return False
    reason = why_not(image)
    if reason and said == "yes":
        raise LabError(f"SHEEPFOLD_LAB_NAMESPACES asks for hosts in namespaces, and there can be none here: {reason}")
    if reason:
        note(f"all hosts are guests, because there can be none in namespaces here: {reason}")
    return not reason


def stop(unshare: Daemon) -> None:
    """End a host: the first process in the namespaces takes all others with it, and unshare(1) ends when they are gone."""
    pid = unshare.pid()
    if pid is not None:
        for first in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(first), signal.SIGKILL)
    unshare.stop(grace_s=20)


@dataclass(frozen=True)
class Namespace:
    """A host of the topology on the kernel of this machine."""

    host: Host
    image: Image

    @property
    def daemon(self) -> Daemon:
        """unshare(1), which waits for the first process in the namespaces."""
        return Daemon(self.host.name, paths.RUN)

    @property
    def saved_as(self) -> str:
        """The name of the file in a state that has what the host had written."""
        return f"{self.host.name}.tar"

    def start(self, saved: Path | None = None) -> None:
        """Start the host as the image has it, or as it was saved."""
        directory = paths.RUN / f"{self.host.name}.root"
        directory.mkdir(exist_ok=True)
        with socket.socket() as listening:
            # Opened here, it stays this machine's 127.0.0.1 in whatever network namespace it is used.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", self.host.ssh_port))
            listening.listen(64)
            words = [*_unshare(), "sh", str(ENTER), "start", str(self.image.root), str(directory), str(saved or "")]
            words += [self.host.name, str(listening.fileno()), " ".join(self.host.units)]
            self.daemon.start([*words, *self._cards()], pass_fds=(listening.fileno(),))

    def _cards(self) -> list[str]:
        words = []
        for index, card in enumerate(self.host.cards):
            if card.network != "user":
                words += [card.name, self.host.mac(index), str(switch.socket_directory(card.network)), str(self.host.number)]
                words += [" ".join(card.addresses)]
        return words

    def save(self, target: Path) -> None:
        """Write what the host has changed of the image to a file, and end it."""
        script = f"sync; tar -c --xattrs --xattrs-include='*' --numeric-owner -C {WRITTEN} -f - ."
        with target.open("wb") as sink:
            done = subprocess.run(ssh.command(self.host, script), stdout=sink, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        # 1: a file changed while it was read. The host goes on working meanwhile.
        if done.returncode > 1:
            raise LabError(f"{self.host.name}: what it has written could not be saved: {done.stderr.decode().strip()}")
        stop(self.daemon)
