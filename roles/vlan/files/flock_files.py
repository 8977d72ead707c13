# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service's files: settings and rules as they are described, as they worked last, and as they did not work."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flock_net import write_atomically

_ACCEPTED, _REJECTED = ".accepted", ".rejected"


def accepted(path: Path) -> Path:
    """Return the copy of a file that worked last."""
    return path if path.name.endswith(_ACCEPTED) else path.with_name(path.name + _ACCEPTED)


def rejected(path: Path) -> Path:
    """Return the copy of a file that did not work."""
    return path.with_name(path.name + _REJECTED)


class Files:
    """Files that belong together: they are accepted, and go back to what they were, all of them."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = list(paths)

    @staticmethod
    def is_kept(path: Path) -> bool:
        """Return whether a file is as it worked last."""
        return accepted(path).exists() and accepted(path).read_bytes() == path.read_bytes()

    def keep(self) -> None:
        """Remember the files as ones that work."""
        for path in self.paths:
            if not self.is_kept(path):
                write_atomically(accepted(path), path.read_text(encoding="utf-8"))

    def roll_back(self) -> list[Path]:
        """Put the files that worked last back in place; return where those went that were other ones."""
        changed = [path for path in self.paths if accepted(path).exists() and not self.is_kept(path)]
        for path in changed:
            write_atomically(rejected(path), path.read_text(encoding="utf-8"))
            write_atomically(path, accepted(path).read_text(encoding="utf-8"), 0o644)
        return [rejected(path) for path in changed]
