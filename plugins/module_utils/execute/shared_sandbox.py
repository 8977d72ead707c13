# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job's directory where nobody may change owners: the daemons' user and the account share it by access control lists.

The directory itself stays closed to all others. What the account has made stays its own until it gives the daemons' user
the right to read it (:func:`give_back`); directories become the daemons' then, so that the starter can remove all.
"""

from __future__ import annotations

import os
import stat

from . import acl, tree
from .sandbox import PRIVATE, TEMPORARY

STARTERS = (".job.ad", ".machine.ad", ".update.ad", ".chirp.config")
"""Files that the starter writes again while the job runs."""
LARGEST_COPY = 16 << 20
"""Bytes. Larger input stays the daemons' user's: the job can write to it, not change its mode."""
_COPY = ".sheepfold.copy"
_READ, _WRITE, _EXECUTE = 4, 2, 1
_ALL = _READ | _WRITE | _EXECUTE


def hand_over(sandbox: str, account: int) -> None:
    """As the daemons' user: let the account do what it likes in the sandbox. Raises OSError."""
    top = tree.open_directory(sandbox)
    own = os.getuid()
    try:
        tree.remove(top, PRIVATE)
        os.mkdir(PRIVATE, 0o700, dir_fd=top)
        for name in TEMPORARY.values():
            os.mkdir(f"{PRIVATE}/{name}", dir_fd=top)
            os.chmod(f"{PRIVATE}/{name}", 0o1777, dir_fd=top)
        for directory, name, found in tree.below(top):
            # Another account's is of the same job's run up to a checkpoint.
            status = found if found.st_uid == own else _take(directory, name, found)
            if stat.S_ISDIR(status.st_mode):
                _allow(directory, name, status, account, _ALL)
            elif stat.S_ISREG(status.st_mode):
                # What has another name may be more than this job's.
                rights = _READ if status.st_nlink > 1 else _READ | _WRITE
                _allow(directory, name, status, account, rights | (_EXECUTE if status.st_mode & 0o111 else 0))
        _allow(top, ".", os.fstat(top), account, _ALL)
    finally:
        os.close(top)


def make_own(sandbox: str, keep: set[tuple[int, int]]) -> None:
    """As the account: replace input by copies of its own, so that their modes are what they were and can be changed.

    ``keep``: device and inode of what is not replaced. Raises OSError.
    """
    top = tree.open_directory(sandbox)
    here = os.fstat(top).st_ino
    try:
        for directory, name, status in tree.below(top):
            kept = (status.st_dev, status.st_ino) in keep or (name in STARTERS and os.fstat(directory).st_ino == here)
            if kept or not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_COPY or status.st_uid == os.getuid():
                continue
            entries = acl.read(_path(directory, name))
            _copy_file(directory, name, acl.mode_of(entries) if entries else status.st_mode & 0o777, status)
    finally:
        os.close(top)


def give_back(sandbox: str, daemons: int) -> None:
    """As the account: let the daemons' user read the account's files, and have its directories. Raises OSError."""
    top = tree.open_directory(sandbox)
    own = os.getuid()
    try:
        for directory, name, status in tree.below(top, lambda parent, name: _open_up(parent, name, daemons)):
            if stat.S_ISREG(status.st_mode) and status.st_uid == own:
                mode = status.st_mode & 0o777
                if mode != stat.S_IMODE(status.st_mode):
                    os.chmod(_path(directory, name), mode)
                if not mode & 0o004 or acl.read(_path(directory, name)):
                    _allow(directory, name, status, daemons, _READ)
    finally:
        os.close(top)


def hand_back(sandbox: str, account: int) -> None:
    """As the daemons' user: take the account's rights away, and its directories over. Raises OSError."""
    top = tree.open_directory(sandbox)
    own = os.getuid()
    try:
        tree.remove(top, PRIVATE)
        for directory, name, status in tree.below(top):
            if status.st_uid == own:
                _restore(_path(directory, name), status, account)
            elif status.st_uid == account and stat.S_ISDIR(status.st_mode):
                _take(directory, name, status)
        # Last: until here the account's entry says that this is not done.
        _restore(_path(top, "."), os.fstat(top), account)
        os.chmod(sandbox, 0o700)
    finally:
        os.close(top)


def is_handed_over(directory: str, account: int) -> bool:
    """Whether a sandbox has not been handed back by an account. Raises OSError."""
    entries = acl.read(directory)
    return entries is not None and acl.names_user(entries, account)


def _path(directory: int, name: str) -> str:
    return f"/proc/self/fd/{directory}/{name}"


def _allow(directory: int, name: str, status: os.stat_result, uid: int, rights: int) -> None:
    path = _path(directory, name)
    acl.write(path, acl.with_user(acl.read(path) or acl.of_mode(status.st_mode), uid, rights))


def _open_up(directory: int, name: str, daemons: int) -> None:
    """Make a directory of the account's one that both can enter and change."""
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if status.st_uid == os.getuid():
        # Links cannot be here: nothing of the account runs that would put one.
        os.chmod(_path(directory, name), status.st_mode & 0o777 | 0o700)
        _allow(directory, name, os.stat(name, dir_fd=directory, follow_symlinks=False), daemons, _ALL)


def _restore(path: str, status: os.stat_result, account: int) -> None:
    """Give a file or directory of one's own the mode that it had before its list named the account."""
    if stat.S_ISLNK(status.st_mode):
        return
    entries = acl.read(path)
    if entries and acl.names_user(entries, account):
        acl.remove(path)
        os.chmod(path, acl.mode_of(entries) | stat.S_IMODE(status.st_mode) & 0o7000)


def _take(directory: int, name: str, status: os.stat_result) -> os.stat_result:
    """Put something of one's own in the place of another's file or directory; its status."""
    if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
        entries = acl.read(_path(directory, name))
        mode = acl.mode_of(entries) if entries else status.st_mode & 0o777
        if stat.S_ISDIR(status.st_mode):
            _copy_directory(directory, name, mode | 0o700)
        else:
            _copy_file(directory, name, mode, status)
    return os.stat(name, dir_fd=directory, follow_symlinks=False)


def _copy_file(directory: int, name: str, mode: int, status: os.stat_result) -> None:
    tree.remove(directory, _COPY)
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
    tree.remove(directory, _COPY)
    os.mkdir(_COPY, 0o700, dir_fd=directory)
    source, target = tree.open_directory(name, directory), tree.open_directory(_COPY, directory)
    try:
        for each in os.listdir(source):
            os.rename(each, each, src_dir_fd=source, dst_dir_fd=target)
        os.fchmod(target, mode)
        os.rmdir(name, dir_fd=directory)
        os.rename(_COPY, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(source)
        os.close(target)
