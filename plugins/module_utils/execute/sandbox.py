# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job's directory changes hands: to the account before the job, back to the daemons' user after it.

In a user namespace that maps both, and nobody else: the kernel refuses files of root and of other accounts. No process of
the account runs meanwhile, so that nothing can be swapped under the walk; links are never followed all the same.
"""

from __future__ import annotations

import os
import stat

from . import tree

PRIVATE = ".sheepfold"
"""Directory in the sandbox for what the job sees as /tmp and /var/tmp; it never goes to the access point."""
TEMPORARY = {"/tmp": "tmp", "/var/tmp": "var_tmp"}

_SCRATCH = "scratch"
_CHIRP = "user/.chirp.config"


class Owner:
    """A user and a group, by id."""

    __slots__ = ("gid", "uid")

    def __init__(self, uid: int, gid: int) -> None:
        self.uid = uid
        self.gid = gid


def hand_over(sandbox: str, account: Owner, daemons: Owner) -> None:
    """Give the sandbox to the account. The daemons' group keeps its access, to the top directory alone. Raises OSError."""
    top = tree.open_directory(sandbox)
    try:
        tree.remove(top, PRIVATE)
        os.mkdir(PRIVATE, 0o700, dir_fd=top)
        for name in TEMPORARY.values():
            os.mkdir(f"{PRIVATE}/{name}", dir_fd=top)
            os.chmod(f"{PRIVATE}/{name}", 0o1777, dir_fd=top)
        for directory, name, _ in tree.below(top):
            os.chown(name, account.uid, account.gid, dir_fd=directory, follow_symlinks=False)
        os.fchown(top, account.uid, daemons.gid)
        os.fchmod(top, 0o770)
    finally:
        os.close(top)
    _hand_over_chirp(sandbox, account)


def _hand_over_chirp(sandbox: str, account: Owner) -> None:
    """Let the job read the key to its starter (condor_chirp), which HTCondor 25 keeps beside the sandbox."""
    place, name = os.path.split(sandbox)
    if name == _SCRATCH:
        try:
            # No job can write in this directory: there is no link to follow.
            os.chown(f"{place}/{_CHIRP}", account.uid, account.gid, follow_symlinks=False)
            os.chmod(f"{place}/{os.path.dirname(_CHIRP)}", 0o711)
        except FileNotFoundError:
            pass


def hand_back(sandbox: str, account: Owner, daemons: Owner) -> None:
    """Take back what is the account's in the sandbox, and remove what was private to the job. Raises OSError."""
    top = tree.open_directory(sandbox)
    try:
        os.fchown(top, daemons.uid, daemons.gid)
        os.fchmod(top, 0o700)
        tree.remove(top, PRIVATE)
        for directory, name, status in tree.below(top):
            if status.st_uid != account.uid:
                continue
            # A change of owner takes setuid and setgid from a file (chown(2)), not setgid from a directory.
            os.chown(name, daemons.uid, daemons.gid, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                # The starter has to enter it, and to remove what it holds.
                os.chmod(name, stat.S_IMODE(status.st_mode) & 0o1777 | 0o700, dir_fd=directory)
    finally:
        os.close(top)
