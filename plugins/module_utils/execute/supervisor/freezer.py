# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a keeper sees that HTCondor suspends a job whose processes are not in the job's cgroup."""

from __future__ import annotations

import os

from ..linux import procfs


class Watch:
    """The events of the cgroup that this process is in now (cgroup.events of the kernel's cgroup-v2 documentation)."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self._events = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def fileno(self) -> int:
        """The descriptor to wait for, with POLLPRI."""
        return self._events

    def receive(self) -> str:
        """What the job's init is to do after a change: ``suspend`` or ``resume``."""
        return "suspend" if b"frozen 1\n" in os.pread(self._events, 4096, 0) else "resume"


def watch() -> Watch | None:
    """A watch on this process's cgroup; None where there is none of its own, and HTCondor suspends nothing by cgroup."""
    try:
        return Watch(f"/sys/fs/cgroup{procfs.cgroup(os.getpid())}/cgroup.events")
    except OSError:
        return None
