# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directory trees that a job may have made as nasty as it could: any depth, any names, links to anywhere."""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_directory(name: str, parent: int | None = None) -> int:
    """A descriptor of a directory, never through a link. Raises OSError."""
    return os.open(name, _DIRECTORY, dir_fd=parent)


def open_directory_to_pass(name: str) -> int:
    """The same of a directory in which this process may find files by name, but not list them. Raises OSError."""
    return os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def below(top: int, prepare: Callable[[int, str], None] = lambda parent, name: None) -> Iterator[tuple[int, str, os.stat_result]]:
    """Everything below a directory, contents before their directory: the parent's descriptor, the name and its status.

    One descriptor is open at a time and nothing recurses, so that no depth of directories stops it. Nobody else may
    change the tree meanwhile; who does is not followed to another place. ``prepare`` is called with parent and name before
    a directory is opened. Raises OSError.
    """
    current = open_directory(".", top)
    names: list[str] = []
    parents: list[os.stat_result] = []
    waiting: list[list[str]] = []
    try:
        while True:
            if len(waiting) == len(names):
                entries = _entries(current)
                yield from ((current, name, status) for name, status in entries if not stat.S_ISDIR(status.st_mode))
                waiting.append([name for name, status in entries if stat.S_ISDIR(status.st_mode)])
            if waiting[-1]:
                name = waiting[-1].pop()
                prepare(current, name)
                child = open_directory(name, current)
                parents.append(os.fstat(current))
                os.close(current)
                current = child
                names.append(name)
                continue
            waiting.pop()
            if not names:
                return
            parent = open_directory("..", current)
            os.close(current)
            current = parent
            if not os.path.samestat(os.fstat(current), parents.pop()):
                raise OSError(errno.ESTALE, "the directories are being moved about")
            name = names.pop()
            yield current, name, os.stat(name, dir_fd=current, follow_symlinks=False)
    finally:
        os.close(current)


def remove(parent: int, name: str) -> None:
    """Remove what an entry of a directory is, with all that it holds; nothing when it is not there. Raises OSError."""
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode):
        _open_up(parent, name)
        top = open_directory(name, parent)
        try:
            for directory, each, kind in below(top, _open_up):
                (os.rmdir if stat.S_ISDIR(kind.st_mode) else os.unlink)(each, dir_fd=directory)
        finally:
            os.close(top)
        os.rmdir(name, dir_fd=parent)
    else:
        os.unlink(name, dir_fd=parent)


def _entries(directory: int) -> list[tuple[str, os.stat_result]]:
    with os.scandir(directory) as entries:
        return [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]


def _open_up(parent: int, name: str) -> None:
    """Let this process into a directory of its own that its owner has closed."""
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if status.st_uid == os.geteuid() and status.st_mode & 0o700 != 0o700:
        os.chmod(f"/proc/self/fd/{parent}/{name}", 0o700)
