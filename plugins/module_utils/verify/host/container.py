# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flocking container as its node sees it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "flock_startd"
SOCKET = "unix:///run/flock-docker/docker.sock"


@dataclass(frozen=True)
class RunningContainer:
    """A running container: its main process, and where its user ids begin on the node."""

    pid: int
    first_uid: int

    @property
    def namespace(self) -> str:
        """Return the path of its network namespace."""
        return f"/proc/{self.pid}/ns/net"

    def uid(self, inside: int) -> int:
        """Return the node's number of a user of the container."""
        return self.first_uid + inside

    def busy(self, slot_uids: range) -> bool:
        """Return whether a process of one of the container's slot users is running in it."""
        wanted = {self.uid(number) for number in slot_uids}
        own = Path(self.namespace).readlink()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if process.stat().st_uid in wanted and (process / "ns" / "net").readlink() == own:
                    return True
            except OSError:  # it has ended
                continue
        return False


def docker(socket: str, *words: str, given: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command of the Docker client against the flock's daemon."""
    command = ["docker", "--host", socket, *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=timeout)


def find(name: str, socket: str) -> RunningContainer | None:
    """Return the running container of that name, if there is one."""
    try:
        done = docker(socket, "container", "inspect", "--format", "{{json .State}}", name)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    state = json.loads(done.stdout)
    pid = int(state.get("Pid") or 0)
    if not state.get("Running") or not pid:
        return None
    return RunningContainer(pid, int(Path(f"/proc/{pid}/uid_map").read_text().split()[1]))
