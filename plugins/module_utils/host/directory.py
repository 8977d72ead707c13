# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files in a directory that somebody else may change, worked on as root: no name in it is followed anywhere.

Whoever may change a directory may put a link, a pipe or a directory of the same name in the place of what is there, at any
moment. So a directory is opened once, and all else is done relative to that descriptor; what is not a plain file or directory
of the user whom the directory belongs to, of root or of ourselves is refused.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _refused(path: Path, why: str) -> OSError:
    return OSError(0, why, str(path))


def open_plain(name: str, flags: int, mode: int = 0o600, *, at: Directory) -> int:
    """A descriptor of a plain file that has one name. Raises OSError."""
    path = at.path / name
    # Without O_NONBLOCK a pipe would keep us waiting.
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode, dir_fd=at.descriptor)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _refused(path, "it is no plain file")
        if status.st_nlink > 1:
            raise _refused(path, "it has another name elsewhere")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class Directory:
    """An open directory. Use as a context manager, or call :meth:`close`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        status = os.fstat(descriptor)
        self.owner, self.group = status.st_uid, status.st_gid

    @classmethod
    def open(cls, path: Path) -> Directory:
        """One whose name only root, or who configured it, may give to something else. Raises OSError."""
        return cls(path, os.open(path, _DIRECTORY & ~os.O_NOFOLLOW))

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it. Safe to call twice."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def below(self, name: str, *, make: bool = False) -> Directory:
        """A directory in it, of the same owner, root's or ours. Raises OSError."""
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=self.descriptor)
        found = Directory(self.path / name, os.open(name, _DIRECTORY, dir_fd=self.descriptor))
        if found.owner not in (self.owner, os.geteuid(), 0):
            found.close()
            raise _refused(found.path, f"it belongs to user {found.owner}")
        return found

    def names(self) -> list[str]:
        """What is in it. Raises OSError."""
        return sorted(each.name for each in os.scandir(self.descriptor))

    def read(self, name: str, most: int) -> tuple[bytes, int]:
        """A file's first ``most`` bytes and its owner's number. Raises OSError."""
        with os.fdopen(open_plain(name, os.O_RDONLY, at=self), "rb") as stream:
            return stream.read(most), os.fstat(stream.fileno()).st_uid

    @contextlib.contextmanager
    def _fresh(self, name: str, mode: int) -> Iterator[tuple[str, int]]:
        temporary = f".{name[:200]}.{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=self.descriptor)
        try:
            os.fchmod(descriptor, mode)
            yield temporary, descriptor
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self.descriptor)
            raise
        finally:
            os.close(descriptor)

    def give(self, descriptor: int) -> None:
        """Make an open file of this directory its owner's, where that takes root. Raises OSError."""
        if os.geteuid() == 0:
            os.fchown(descriptor, self.owner, self.group)

    def write(self, name: str, content: bytes, mode: int, *, give: bool = False) -> None:
        """Replace a file atomically; it is on the disk when this returns. Raises OSError.

        ``give``: it is the directory's owner's, as if that had written it.
        """
        with self._fresh(name, mode) as (temporary, descriptor):
            if give:
                self.give(descriptor)
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
            os.rename(temporary, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def remove(self, name: str) -> bool:
        """Take a file away; whether it was there. Raises OSError."""
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return False
        return True
