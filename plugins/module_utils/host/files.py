# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are there whole or not at all, and directories that somebody else may make or remove at the same time."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any


def make_directory(path: Path, mode: int) -> None:
    """Make a directory with these permissions, whatever the umask; an existing one is left as it is."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)


def remove_tree(path: Path) -> None:
    """Remove a directory with all it holds, though a daemon that ends removes its own files from it meanwhile.

    Raises:
        OSError: something in it cannot be removed.
    """

    def pass_over_what_is_gone(_call: object, _name: str, error: tuple[Any, BaseException, Any]) -> None:
        if not isinstance(error[1], FileNotFoundError):
            raise error[1]

    shutil.rmtree(path, onerror=pass_over_what_is_gone)


def write_file(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Replace a file atomically; it never exists with wider permissions than these, and is on the disk when this returns.

    ``owner``: user and group; this process's own without.

    Raises:
        OSError: the directory cannot be written to.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
