# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snippets of HTCondor's configuration and files that they name: compared, written, removed."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..host.files import make_directory, write_file


@dataclass(frozen=True)
class SnippetFile:
    """A file as it shall be; without content it shall not exist."""

    path: Path
    content: str
    mode: int


@dataclass(frozen=True)
class Change:
    """A file that is not as it shall be."""

    file: SnippetFile
    before: str


def changes(files: Iterable[SnippetFile]) -> list[Change]:
    """Return what is not as it shall be.

    Raises:
        OSError: a file cannot be read.
    """
    found = []
    for file in files:
        try:
            before, mode = file.path.read_text(errors="replace"), stat.S_IMODE(file.path.stat().st_mode)
        except FileNotFoundError:
            if file.content:
                found.append(Change(file, ""))
            continue
        if not file.content or (before, mode) != (file.content, file.mode):
            found.append(Change(file, before))
    return found


def apply(directory: Path, todo: Sequence[Change]) -> None:
    """Write and remove the files, and directories that become empty by that. The directory of snippets itself is HTCondor's.

    Raises:
        OSError: the first file that cannot be written or removed.
    """
    for change in todo:
        path = change.file.path
        if change.file.content:
            make_directory(path.parent, 0o755)
            write_file(path, change.file.content.encode(), change.file.mode)
        else:
            path.unlink(missing_ok=True)
    for change in todo:
        if not change.file.content and change.file.path.parent != directory:
            with contextlib.suppress(OSError):  # in use by others
                change.file.path.parent.rmdir()
