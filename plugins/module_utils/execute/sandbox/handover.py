# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job's files change hands: to the account before the job, back to the daemons' user after it.

The daemons go on writing and reading in the sandbox while the job runs, as their own user: whoever could put a link there
would have them write or read any file of theirs. So the sandbox stays theirs, and the job's files go to a directory below
that the job sees in its place.

In a user namespace that maps both users, and nobody else: the kernel refuses files of root and of other accounts. No
process of the account runs meanwhile, so that nothing can be swapped under the walk; links are never followed all the same.
"""

from __future__ import annotations

import os
import stat

from ..linux import dirtree
from . import job_tokens
from .layout import CHIRP, COPIED, DAEMONS, JOB, PRIVATE, SHOWN, TEMPORARY, USER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import SandboxHandover


class Owner:
    """A user and a group, by id."""

    __slots__ = ("gid", "uid")

    def __init__(self, uid: int, gid: int) -> None:
        self.uid = uid
        self.gid = gid


class ByOwner:
    """The way that changes owners, for a process that may (:class:`base.Way`)."""

    keeps_tokens = True

    def __init__(self, account: Owner, daemons: Owner) -> None:
        self._account = account
        self._daemons = daemons

    def give(self, top: int, job: int) -> None:
        """Give the job's files to the account."""
        for directory, name, _ in dirtree.below(job):
            os.chown(name, self._account.uid, self._account.gid, dir_fd=directory, follow_symlinks=False)
        _let_chirp(top, self._account, 0o711)
        job_tokens.give(top, self._account.uid, self._account.gid)
        # The starter asks how much room the job takes.
        os.fchmod(job, 0o750)
        os.fchown(job, self._account.uid, self._daemons.gid)

    def take(self, top: int, job: int) -> None:
        """Take the job's files back."""
        _chown_back(job, self._account, self._daemons)
        _let_chirp(top, self._daemons, 0o700)
        job_tokens.give(top, self._daemons.uid, self._daemons.gid)


def hand_over(sandbox: str, account: Owner, daemons: Owner) -> None:
    """Make the account the owner of the job's files. Raises OSError."""
    move_in(sandbox, ByOwner(account, daemons))


def hand_back(sandbox: str, account: Owner, daemons: Owner) -> list[str]:
    """Take the job's files back (:func:`move_out`). Raises OSError."""
    return move_out(sandbox, ByOwner(account, daemons))


def renew_tokens(sandbox: str, account: Owner) -> None:
    """Give the account the tokens that the starter has put into a sandbox. Raises OSError."""
    top = dirtree.open_directory(sandbox)
    try:
        job_tokens.give(top, account.uid, account.gid)
    finally:
        os.close(top)


def move_in(sandbox: str, way: SandboxHandover) -> None:
    """Move the job's files to a directory of their own, and let the account have them. Raises OSError."""
    # What a keeper before this one could not finish.
    move_out(sandbox, way)
    top = dirtree.open_directory(sandbox)
    try:
        names = os.listdir(top)
        os.mkdir(PRIVATE, 0o700, dir_fd=top)
        for name in (JOB, *TEMPORARY.values()):
            os.mkdir(f"{PRIVATE}/{name}", 0o700, dir_fd=top)
        for name in TEMPORARY.values():
            os.chmod(f"{PRIVATE}/{name}", 0o1777, dir_fd=top)
        job = dirtree.open_directory(f"{PRIVATE}/{JOB}", top)
        try:
            for name in names:
                if name == job_tokens.DIRECTORY and way.keeps_tokens and job_tokens.are_in(top):
                    # What the job sees it by.
                    os.mkdir(name, 0o700, dir_fd=job)
                else:
                    _move_in(top, job, name)
            way.give(top, job)
        finally:
            os.close(job)
    finally:
        os.close(top)


def move_out(sandbox: str, way: SandboxHandover) -> list[str]:
    """Take the job's files back and remove what was private to it; the links that were removed.

    The starter follows links when it sends files to the access point, as the daemons' user: one that leads out of the
    sandbox would bring the job's owner whatever that user may read, such as the pool's signing key. Raises OSError.
    """
    removed: list[str] = []
    top = dirtree.open_directory(sandbox)
    try:
        try:
            job = dirtree.open_directory(f"{PRIVATE}/{JOB}", top)
        except FileNotFoundError:
            return removed
        try:
            way.take(top, job)
            for name in SHOWN:
                # The job may have removed it, or put something else there: it then has no such output.
                dirtree.remove(top, name)
            links = [name for name in os.listdir(job) if _move_out(job, top, name)]
            removed += _remove_links_out(top, job, sandbox)
            # Last, when all that they could lead to is in its place.
            removed += [name for name in links if not _move_link(job, top, name, sandbox)]
        finally:
            os.close(job)
        dirtree.remove(top, PRIVATE)
    finally:
        os.close(top)
    return removed


def leads_out(link: str, sandbox: str) -> bool:
    """Whether a link leads out of the sandbox, by whatever further links; so does one too long to tell."""
    try:
        target = os.path.realpath(link)
    except (OSError, ValueError):
        return True
    return not target.startswith(os.path.realpath(sandbox) + "/")


def _move_in(top: int, job: int, name: str) -> None:
    if name in COPIED:
        _copy(top, job, name)
        return
    os.rename(name, name, src_dir_fd=top, dst_dir_fd=job)
    if name in SHOWN:
        os.link(name, name, src_dir_fd=job, dst_dir_fd=top, follow_symlinks=False)


def _copy(top: int, job: int, name: str) -> None:
    try:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=top)
    except OSError:
        # A link of the submitter's, or gone meanwhile: the job does without.
        return
    with os.fdopen(source, "rb") as original:
        target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=job)
        with os.fdopen(target, "wb") as copy:
            copy.write(original.read())


def _let_chirp(top: int, owner: Owner, mode: int) -> None:
    """Give the file for condor_chirp to somebody, where it is not in the sandbox itself."""
    try:
        os.chown(CHIRP, owner.uid, owner.gid, dir_fd=top, follow_symlinks=False)
        os.chmod(USER, mode, dir_fd=top)
    except FileNotFoundError:
        pass


def _chown_back(job: int, account: Owner, daemons: Owner) -> None:
    for directory, name, status in dirtree.below(job):
        if status.st_uid != account.uid:
            continue
        # A change of owner takes setuid and setgid from a file (chown(2)), not setgid from a directory.
        os.chown(name, daemons.uid, daemons.gid, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            # The starter has to enter it, and to remove what it holds.
            os.chmod(name, stat.S_IMODE(status.st_mode) & 0o1777 | 0o700, dir_fd=directory)
    os.fchown(job, daemons.uid, daemons.gid)
    os.fchmod(job, 0o700)


def _move_out(job: int, top: int, name: str) -> bool:
    """Move an entry to the sandbox; whether it is a link, which is not moved yet. What cannot be moved is removed later."""
    mode = os.stat(name, dir_fd=job, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        return name not in (*DAEMONS, *SHOWN)
    if name in SHOWN:
        if stat.S_ISREG(mode):
            os.replace(name, name, src_dir_fd=job, dst_dir_fd=top)
    elif name not in DAEMONS and not _exists(top, name):
        os.rename(name, name, src_dir_fd=job, dst_dir_fd=top)
    return False


def _move_link(job: int, top: int, name: str, sandbox: str) -> bool:
    """Move a link to the sandbox when it does not lead out of it; whether it was moved."""
    if _exists(top, name) or leads_out(os.path.join(sandbox, os.readlink(name, dir_fd=job)), sandbox):
        return False
    os.rename(name, name, src_dir_fd=job, dst_dir_fd=top)
    return True


def _remove_links_out(top: int, job: int, sandbox: str) -> list[str]:
    """Remove the links that lead out of the sandbox, but for those that are not moved yet."""
    removed = []
    for directory, name, status in dirtree.below(top):
        if (
            stat.S_ISLNK(status.st_mode)
            and not os.path.sameopenfile(directory, job)
            and leads_out(f"/proc/self/fd/{directory}/{name}", sandbox)
        ):
            os.unlink(name, dir_fd=directory)
            removed.append(name)
    return removed


def _exists(directory: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
