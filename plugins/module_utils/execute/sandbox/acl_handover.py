# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job's files where nobody may change owners: the daemons' user and the account share them by access control lists.

What the account has made stays its own until it gives the daemons' user the right to read it (:func:`give_back`);
directories become the daemons' then, so that the starter can remove all.
"""

from __future__ import annotations

import os
import stat

from ..linux import dirtree, posix_acl
from .layout import CHIRP, JOB, PRIVATE, SHOWN, TEMPORARY, USER

LARGEST_COPY = 16 << 20
"""Bytes. Larger input stays the daemons' user's: the job can write to it, not change its mode."""
_COPY = ".sheepfold.copy"
_READ, _WRITE, _EXECUTE = 4, 2, 1
_ALL = _READ | _WRITE | _EXECUTE


class ByList:
    """The way that gives the account rights, for the daemons' user (:class:`base.Way`)."""

    # By a list their modes would not be those of secrets: the account has a copy.
    keeps_tokens = False

    def __init__(self, account: int) -> None:
        self._account = account

    def give(self, top: int, job: int) -> None:
        """Let the account have the job's files, and pass through what is above them."""
        own = os.getuid()
        for directory, name, found in dirtree.below(job):
            # Another account's is of the same job's run up to a checkpoint.
            status = found if found.st_uid == own else _take(directory, name, found)
            if stat.S_ISDIR(status.st_mode):
                self._allow(directory, name, _ALL)
            elif stat.S_ISREG(status.st_mode):
                # What has another name may be more than this job's.
                rights = _READ if status.st_nlink > 1 and name not in SHOWN else _READ | _WRITE
                self._allow(directory, name, rights | (_EXECUTE if status.st_mode & 0o111 else 0))
        if _exists(top, CHIRP):
            self._allow(top, CHIRP, _READ)
            os.chmod(_path(top, USER), 0o711)
        self._allow(top, f"{PRIVATE}/{JOB}", _ALL)
        self._allow(top, PRIVATE, _EXECUTE)
        self._allow(top, ".", _EXECUTE)

    def take(self, top: int, job: int) -> None:
        """Take the account's rights away, and its directories over."""
        own = os.getuid()
        self._restore(top, ".")
        for directory, name, status in dirtree.below(job):
            if status.st_uid == own:
                self._restore(directory, name)
            elif status.st_uid == self._account and stat.S_ISDIR(status.st_mode):
                _take(directory, name, status)
        if _exists(top, CHIRP):
            self._restore(top, CHIRP)
            os.chmod(_path(top, USER), 0o700)

    def _allow(self, directory: int, name: str, rights: int) -> None:
        _allow(directory, name, self._account, rights)

    def _restore(self, directory: int, name: str) -> None:
        """Give a file or directory of one's own the mode that it had before its list named the account."""
        path = _path(directory, name)
        status = os.stat(path, follow_symlinks=False)
        entries = None if stat.S_ISLNK(status.st_mode) else posix_acl.read(path)
        if entries and posix_acl.names_user(entries, self._account):
            posix_acl.remove(path)
            os.chmod(path, posix_acl.mode_of(entries) | stat.S_IMODE(status.st_mode) & 0o7000)


def make_own(sandbox: str, keep: set[tuple[int, int]]) -> None:
    """As the account: replace input by copies of its own, so that their modes are what they were and can be changed.

    ``keep``: device and inode of what is not replaced. Raises OSError.
    """
    job = dirtree.open_directory(f"{sandbox}/{PRIVATE}/{JOB}")
    try:
        for directory, name, status in dirtree.below(job):
            kept = (status.st_dev, status.st_ino) in keep or status.st_nlink > 1 or status.st_uid == os.getuid()
            if kept or not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_COPY:
                continue
            entries = posix_acl.read(_path(directory, name))
            _copy_file(directory, name, posix_acl.mode_of(entries) if entries else status.st_mode & 0o777, status)
    finally:
        os.close(job)


def give_back(sandbox: str, daemons: int) -> None:
    """As the account: let the daemons' user read the account's files and have its directories; remove its temporary files.

    Raises OSError.
    """
    private = dirtree.open_directory_to_pass(f"{sandbox}/{PRIVATE}")
    try:
        for name in TEMPORARY.values():
            _empty(private, name)
        job = dirtree.open_directory(JOB, private)
        try:
            _let_read(job, daemons)
        finally:
            os.close(job)
    finally:
        os.close(private)


def holder(sandbox: str) -> int | None:
    """The uid that has rights in the job's files of a sandbox; None when nobody has."""
    try:
        return posix_acl.named_user(posix_acl.read(f"{sandbox}/{PRIVATE}/{JOB}") or {})
    except OSError:
        return None


def _empty(parent: int, name: str) -> None:
    directory = dirtree.open_directory(name, parent)
    try:
        for each in os.listdir(directory):
            dirtree.remove(directory, each)
    finally:
        os.close(directory)


def _let_read(job: int, daemons: int) -> None:
    own = os.getuid()
    for directory, name, status in dirtree.below(job, lambda parent, name: _open_up(parent, name, daemons)):
        if stat.S_ISREG(status.st_mode) and status.st_uid == own:
            mode = status.st_mode & 0o777
            if mode != stat.S_IMODE(status.st_mode):
                os.chmod(_path(directory, name), mode)
            if not mode & 0o004 or posix_acl.read(_path(directory, name)):
                _allow(directory, name, daemons, _READ)


def _path(directory: int, name: str) -> str:
    return f"/proc/self/fd/{directory}/{name}"


def _exists(directory: int, name: str) -> bool:
    return os.path.lexists(_path(directory, name))


def _allow(directory: int, name: str, uid: int, rights: int) -> None:
    path = _path(directory, name)
    entries = posix_acl.read(path) or posix_acl.of_mode(os.stat(path, follow_symlinks=False).st_mode)
    posix_acl.write(path, posix_acl.with_user(entries, uid, rights))


def _open_up(directory: int, name: str, daemons: int) -> None:
    """Make a directory of the account's one that both can enter and change."""
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if status.st_uid == os.getuid():
        os.chmod(_path(directory, name), status.st_mode & 0o777 | 0o700)
        _allow(directory, name, daemons, _ALL)


def _take(directory: int, name: str, status: os.stat_result) -> os.stat_result:
    """Put something of one's own in the place of another's file or directory; its status."""
    if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
        entries = posix_acl.read(_path(directory, name))
        mode = posix_acl.mode_of(entries) if entries else status.st_mode & 0o777
        if stat.S_ISDIR(status.st_mode):
            _copy_directory(directory, name, mode | 0o700)
        else:
            _copy_file(directory, name, mode, status)
    return os.stat(name, dir_fd=directory, follow_symlinks=False)


def _copy_file(directory: int, name: str, mode: int, status: os.stat_result) -> None:
    dirtree.remove(directory, _COPY)
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    target = os.open(_COPY, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        while os.sendfile(target, source, None, 1 << 24):
            pass
        os.fchmod(target, mode)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.rename(_COPY, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(source)
        os.close(target)


def _copy_directory(directory: int, name: str, mode: int) -> None:
    """A directory in another's place: what was in that moves over."""
    dirtree.remove(directory, _COPY)
    os.mkdir(_COPY, 0o700, dir_fd=directory)
    source, target = dirtree.open_directory(name, directory), dirtree.open_directory(_COPY, directory)
    try:
        for each in os.listdir(source):
            os.rename(each, each, src_dir_fd=source, dst_dir_fd=target)
        os.fchmod(target, mode)
        os.rmdir(name, dir_fd=directory)
        os.rename(_COPY, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(source)
        os.close(target)
