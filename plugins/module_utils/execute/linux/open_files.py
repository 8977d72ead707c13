# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Standard input, output and error of a job, opened again by another process where that gives it the very same file.

userv would give it pipes of root's instead: a program could not open ``/dev/stdout``, and a full disk would end the job.
"""

from __future__ import annotations

import os
import stat

NULL = "/dev/null"
_SETTABLE = os.O_APPEND | os.O_ACCMODE | os.O_LARGEFILE | os.O_SYNC


class OpenFile:
    """A file that a process has open: by which number, with which flags (open(2)), from where on, and which it is.

    ``identity``: device and inode.
    """

    __slots__ = ("flags", "identity", "number", "path", "position")

    def __init__(self, number: int, flags: int, position: int, identity: tuple[int, int], path: str) -> None:
        self.number = number
        self.flags = flags
        self.position = position
        self.identity = identity
        self.path = path

    def open(self) -> None:
        """Have it open in this process, by the same number. Raises OSError, also when it is another file by now."""
        handle = os.open(self.path, self.flags & _SETTABLE | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            if self.path != NULL and (status.st_dev, status.st_ino) != self.identity:
                raise OSError(f"{self.path} is another file than the one that is open")
            if self.position:
                os.lseek(handle, self.position, os.SEEK_SET)
            os.dup2(handle, self.number)
        finally:
            os.close(handle)


def of_process(sandbox: str) -> list[OpenFile]:
    """Those of this process that another may open: regular files in the sandbox, and /dev/null. Raises OSError."""
    found = []
    for number in (0, 1, 2):
        path, status = os.readlink(f"/proc/self/fd/{number}"), os.fstat(number)
        inside = stat.S_ISREG(status.st_mode) and path.startswith(sandbox + "/")
        if path == NULL or (inside and _identity(path) == (status.st_dev, status.st_ino)):
            with open(f"/proc/self/fdinfo/{number}", encoding="utf-8") as file:
                known = dict(line.split(":", 1) for line in file)
            found.append(OpenFile(number, int(known["flags"], 8), int(known["pos"]), (status.st_dev, status.st_ino), path))
    return found


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        # Its name has been removed, by this path.
        return None
    return status.st_dev, status.st_ino


def pack(file: OpenFile) -> bytes:
    """A file as bytes."""
    return os.fsencode(f"{file.number} {file.flags} {file.position} {file.identity[0]} {file.identity[1]} {file.path}")


def unpack(data: bytes) -> OpenFile:
    """The file that bytes tell of. Raises ValueError."""
    *numbers, path = os.fsdecode(data).split(" ", 5)
    number, flags, position, device, inode = (int(each) for each in numbers)
    if number not in (0, 1, 2):
        raise ValueError(f"{number} is no standard descriptor")
    return OpenFile(number, flags, position, (device, inode), path)
