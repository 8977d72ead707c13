# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One shepherd at a time: flock(2) on a file. The kernel lets go of it with the process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from pathlib import Path


class LeaderLock:
    """The lock. Whoever holds it has written its process id into the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self) -> bool:
        """Take it, if nobody has it. Raises OSError when the file cannot be opened."""
        if self._descriptor >= 0:
            return True
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
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
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return 0
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            return int(text) if text.isdigit() else 0
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
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGUSR1)
            return True
        return False
