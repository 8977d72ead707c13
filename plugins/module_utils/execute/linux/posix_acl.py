# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""POSIX access control lists (acl(5)) in the form that the kernel takes and gives (linux/posix_acl_xattr.h).

Ids are those of the user namespace that the caller is in.
"""

from __future__ import annotations

import errno
import os

_NAME = "system.posix_acl_access"
_VERSION = (2).to_bytes(4, "little")
_ENTRY = 8
_NO_ID = 0xFFFFFFFF

OWNER = 0x01
USER = 0x02
GROUP = 0x04
MASK = 0x10
OTHER = 0x20

TYPE_CHECKING = False
if TYPE_CHECKING:
    Key = tuple[int, int]
    """Whose: the kind of entry, and of a named user's the uid."""


def pack(entries: dict[Key, int]) -> bytes:
    """A list as bytes: rights (4 read, 2 write, 1 execute or enter) by whose they are."""
    rows = ((kind, rights, number) for (kind, number), rights in sorted(entries.items()))
    return _VERSION + b"".join(
        kind.to_bytes(2, "little") + rights.to_bytes(2, "little") + number.to_bytes(4, "little") for kind, rights, number in rows
    )


def unpack(data: bytes) -> dict[Key, int]:
    """The list that bytes tell of. Raises ValueError."""
    if data[:4] != _VERSION or len(data) % _ENTRY != 4:
        raise ValueError("no access control list of version 2")
    found = {}
    for at in range(4, len(data), _ENTRY):
        kind, rights, number = (int.from_bytes(data[at + a : at + b], "little") for a, b in ((0, 2), (2, 4), (4, 8)))
        found[kind, number] = rights
    return found


def of_mode(mode: int) -> dict[Key, int]:
    """The list that says what a mode says."""
    return {(OWNER, _NO_ID): mode >> 6 & 7, (GROUP, _NO_ID): mode >> 3 & 7, (OTHER, _NO_ID): mode & 7}


def with_user(entries: dict[Key, int], uid: int, rights: int) -> dict[Key, int]:
    """A list in which a user has these rights too, and they are in force."""
    mask = entries.get((MASK, _NO_ID), entries[GROUP, _NO_ID])
    return {**entries, (USER, uid): rights, (MASK, _NO_ID): mask | rights}


def names_user(entries: dict[Key, int], uid: int) -> bool:
    """Whether a list has an entry for a user."""
    return (USER, uid) in entries


def named_user(entries: dict[Key, int]) -> int | None:
    """The user that a list names, if it names one."""
    return next((number for kind, number in entries if kind == USER), None)


def mode_of(entries: dict[Key, int]) -> int:
    """The mode without the list: while there is one, the mode's middle digit is the list's mask."""
    return entries[OWNER, _NO_ID] << 6 | entries[GROUP, _NO_ID] << 3 | entries[OTHER, _NO_ID]


def read(path: str) -> dict[Key, int] | None:
    """The list of a file or directory; None when there is none. Links are not followed. Raises OSError."""
    try:
        return unpack(os.getxattr(path, _NAME, follow_symlinks=False))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return None
        raise


def write(path: str, entries: dict[Key, int]) -> None:
    """Set the list of a file or directory. Links are not followed. Raises OSError."""
    os.setxattr(path, _NAME, pack(entries), follow_symlinks=False)


def remove(path: str) -> None:
    """Take the list of a file or directory away; its mode is then to be set. Raises OSError."""
    os.removexattr(path, _NAME, follow_symlinks=False)
