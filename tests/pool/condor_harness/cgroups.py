"""A tree of control groups (version 2) for one world, gone with the world.

The trees carry the pid of the test's process in their name: what a killed process left is swept by the next one.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

LEAF = "leaf"
_PREFIX = "sheepfold-test-"
# What systemd hands over with Delegate=yes, see systemd.resource-control(5) and cg_set_access() in its source.
_DELEGATED = ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads")
_REMOVAL_PATIENCE = 10  # seconds; a cgroup is removable some milliseconds after its last process ended


def hierarchy() -> Path:
    """Where the machine has mounted cgroup2: alone or beside version 1. Raises RuntimeError when nowhere."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        fields = line.split()
        if fields[2] == "cgroup2":
            return Path(fields[1])
    raise RuntimeError("this machine has no cgroup2 mounted")


def _remove(tree: Path) -> None:
    """Remove a tree, its processes ended. Raises OSError when it stays busy."""
    end = time.monotonic() + _REMOVAL_PATIENCE
    for directory, _, _ in os.walk(tree, topdown=False):
        while True:
            try:
                Path(directory).rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)


class CgroupTree:
    """One directory below the machine's cgroup2, the root of a world's cgroup namespace."""

    def __init__(self, label: str) -> None:
        """Make the tree. Raises OSError, or RuntimeError without cgroup2."""
        mounted = hierarchy()
        for left in mounted.glob(f"{_PREFIX}*"):
            if not Path("/proc", left.name.rsplit("-", 1)[-1]).exists():
                with contextlib.suppress(OSError):
                    (left / "cgroup.kill").write_text("1")
                    _remove(left)
        self.path = mounted / f"{_PREFIX}{label}-{os.getpid()}"
        self.path.mkdir()

    def delegate(self, uid: int, gid: int) -> None:
        """Hand the tree to a user as a unit's group, with the subgroup ``leaf`` as by DelegateSubgroup=.

        The unit's group is the root that the world sees: beside version 1 of the control groups HTCondor finds itself
        at no other place (it reads no further than the first line of ``/proc/self/cgroup``).
        """
        (self.path / LEAF).mkdir()
        for directory in (self.path, self.path / LEAF):
            for name in _DELEGATED:
                os.chown(directory / name, uid, gid)

    def remove(self) -> None:
        """Remove the tree after the end of its processes. Safe to call twice. Raises OSError when one is left."""
        _remove(self.path)
