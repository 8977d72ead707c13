# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job's tokens, which the starter puts in its sandbox and puts there anew while the job runs (``_CONDOR_CREDS``).

So the directory stays the daemons' and where it is; the job sees it read-only, and what comes into it becomes the
account's, its mode unchanged.
"""

from __future__ import annotations

import os
import stat

from ..linux import dirtree, syscalls

DIRECTORY = ".condor_creds"


def are_in(sandbox: int) -> bool:
    """Whether a sandbox, by its descriptor, has a directory for tokens."""
    try:
        return stat.S_ISDIR(os.stat(DIRECTORY, dir_fd=sandbox, follow_symlinks=False).st_mode)
    except OSError:
        return False


def give(sandbox: int, uid: int, gid: int) -> None:
    """Make a user the owner of the tokens in a sandbox, when there are any. Raises OSError."""
    if not are_in(sandbox):
        return
    tokens = dirtree.open_directory(DIRECTORY, sandbox)
    try:
        for directory, name, status in dirtree.below(tokens):
            if not stat.S_ISDIR(status.st_mode) and status.st_uid != uid:
                _give(directory, name, uid, gid)
    finally:
        os.close(tokens)


def watch(sandbox: str) -> int:
    """A descriptor that can be read when the starter has put a token into a sandbox; -1 when it has no directory for them."""
    try:
        return syscalls.watch_directory(f"{sandbox}/{DIRECTORY}")
    except OSError:
        return -1


def _give(directory: int, name: str, uid: int, gid: int) -> None:
    try:
        os.chown(name, uid, gid, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        # The starter has just put another in its place, which is told of, too.
        pass
