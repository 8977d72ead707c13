# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One shepherd at a time: flock(2) on a file. The kernel lets go of it with the process, however that ends.

The file is in a directory of the shepherd's user, who may write anything into it, and root reads it: a process is told something
only when it is that user's.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
from pathlib import Path

from ...host.directory import Directory, open_plain

_PID = re.compile(r"[1-9][0-9]{0,9}")


class LeaderLock:
    """The lock. Whoever holds it has written its process id into the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self) -> bool:
        """Take it, if nobody has it. Raises OSError when the file cannot be opened."""
        if self._descriptor >= 0:
            return True
        with Directory.open(self.path.parent) as directory:
            descriptor = open_plain(self.path.name, os.O_RDWR | os.O_CREAT, 0o644, at=directory)
            try:
                # A cycle that root runs must not leave a lock that the shepherd cannot open.
                directory.give(descriptor)
            except OSError:
                os.close(descriptor)
                raise
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
            # Whoever holds it may be woken (below): one that runs a single cycle is not to end of that.
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go of it. Safe to call twice."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def holder(self) -> int:
        """The process that holds it, 0 when nobody does (or nothing can be seen of it)."""
        try:
            with Directory.open(self.path.parent) as directory:
                descriptor = open_plain(self.path.name, os.O_RDONLY, at=directory)
        except OSError:
            return 0
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            return int(text) if _PID.fullmatch(text) else 0
        except OSError:
            return 0
        finally:
            os.close(descriptor)
        return 0

    def wake(self) -> bool:
        """Have the shepherd that holds it run a cycle at once. Whether it was told."""
        pid = self.holder()
        if pid <= 0:
            return False
        try:
            # The process, and not another one that has its number by now.
            process = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            if Path(f"/proc/{pid}").stat().st_uid != self.path.parent.stat().st_uid:
                return False
            signal.pidfd_send_signal(process, signal.SIGUSR1)
        except OSError:
            return False
        finally:
            os.close(process)
        return True
