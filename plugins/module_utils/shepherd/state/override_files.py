# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files by which people override the shepherd, read and written. What is in them is for ``overrides.py``.

Below the state directory: ``flockoff`` switches lending off everywhere, ``flockoff.d/p220`` on one node, ``holds.d/p220`` holds a
node for maintenance. They outlive restarts and reboots. ``/tmp/flockoff``, the talk's, counts where it is configured and of the
configured owners alone: anybody can create it.

Root writes here, and the state directory is the shepherd's user's: nothing in it is followed elsewhere (``host/directory.py``).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ...host.directory import Directory
from ..config.configuration import TmpFlockoff
from ..decide import overrides
from ..model import Override, OverrideKind

_BYTES_MOST = 65536


@dataclass(frozen=True)
class Found:
    """What the files ask for, and what was wrong with some: a sentence each."""

    overrides: tuple[Override, ...] = ()
    problems: tuple[str, ...] = ()


def user_name(uid: int) -> str:
    """A user's name, or the number of one who has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_node_name(name: str) -> bool:
    """Whether a text can be a node's name, and so the name of its file."""
    return bool(name) and len(name) <= 255 and name[0].isalnum() and all(each.isalnum() or each in "-._" for each in name)


def _text(content: bytes) -> str:
    """A file's text; of one that is too long a line that cannot be read: half of its nodes is not what was wanted."""
    if len(content) > _BYTES_MOST:
        return f"longer than {_BYTES_MOST} bytes"
    return content.decode("utf-8", "replace")


def _content(path: Path) -> tuple[str, str] | None:
    """A file's text and its owner's name, None when there is none. Raises OSError, also for what is no plain file."""
    try:
        # Neither a link, which somebody could point elsewhere, nor a pipe, which would keep us waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is no plain file")
        return _text(stream.read(_BYTES_MOST + 1)), user_name(status.st_uid)


class OverrideFiles:
    """The files of one shepherd."""

    def __init__(self, directory: Path, tmp: TmpFlockoff | None = None) -> None:
        """``directory``: the state directory. ``tmp``: the file in a place that is everybody's, if it is to count."""
        self.directory = directory
        self.tmp = tmp

    def path(self, kind: OverrideKind, node: str = "") -> Path:
        """Where an override is kept; ``node``: empty for the one that switches everything off."""
        if kind is OverrideKind.HOLD:
            return self.directory / "holds.d" / node
        return self.directory / "flockoff.d" / node if node else self.directory / "flockoff"

    def _one(self, directory: Directory, name: str, kind: OverrideKind, node: str, problems: list[str]) -> list[Override]:
        path = directory.path / name
        try:
            content, uid = directory.read(name, _BYTES_MOST + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            problems.append(f"{path} cannot be read, which counts as an override without a reason: {error.strerror}")
            text, owner = "", "somebody"
        else:
            text, owner = _text(content), user_name(uid)
        parsed = overrides.parse(text, source=str(path), owner=owner, kind=kind)
        if parsed.problem:
            problems.append(parsed.problem)
        return [replace(parsed.override, nodes=frozenset((node,))) if node else parsed.override]

    def _below(self, state: Directory, below: str, kind: OverrideKind, problems: list[str]) -> list[Override]:
        try:
            directory = state.below(below)
        except FileNotFoundError:
            return []
        except OSError as error:
            problems.append(f"{state.path / below} cannot be read: {error.strerror}")
            return []
        found: list[Override] = []
        with directory:
            for name in directory.names():
                # A dot begins the name of a file that is being written.
                if is_node_name(name):
                    found += self._one(directory, name, kind, name, problems)
        return found

    def _of_everybody(self, problems: list[str]) -> list[Override]:
        if self.tmp is None:
            return []
        path = Path(self.tmp.path)
        try:
            content = _content(path)
        except OSError as error:
            problems.append(f"{path} is ignored: {error.strerror}")
            return []
        if content is None:
            return []
        text, owner = content
        if not overrides.is_honoured(owner, self.tmp.owners):
            problems.append(f"{path} is ignored: it belongs to {owner}, expected one of {', '.join(self.tmp.owners)}")
            return []
        parsed = overrides.parse(text, source=str(path), owner=owner)
        if parsed.problem:
            problems.append(parsed.problem)
        return [parsed.override]

    def read(self) -> Found:
        """All overrides, expired ones too."""
        problems: list[str] = []
        found: list[Override] = []
        try:
            with Directory.open(self.directory) as state:
                found += self._one(state, "flockoff", OverrideKind.OFF, "", problems)
                found += self._below(state, "flockoff.d", OverrideKind.OFF, problems)
                found += self._below(state, "holds.d", OverrideKind.HOLD, problems)
        except FileNotFoundError:
            pass
        except OSError as error:
            problems.append(f"{self.directory} cannot be read: {error.strerror}")
        found += self._of_everybody(problems)
        return Found(tuple(found), tuple(problems))

    @contextlib.contextmanager
    def _holding(self, path: Path, *, make: bool = False) -> Iterator[Directory]:
        """The directory that an override's file is in."""
        if make:
            self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        with Directory.open(self.directory) as state:
            if path.parent == self.directory:
                yield state
                return
            with state.below(path.parent.name, make=make) as below:
                yield below

    def write(self, override: Override) -> list[Path]:
        """Write the override's files, one for each of its nodes. Raises OSError."""
        names: Iterable[str] = sorted(override.nodes) or [""]
        written = []
        for name in names:
            path = self.path(override.kind, name)
            with self._holding(path, make=True) as directory:
                # Everybody on the host may see why nothing is lent.
                directory.write(path.name, overrides.render(override).encode(), 0o644)
            written.append(path)
        return written

    def remove(self, kind: OverrideKind, nodes: Iterable[str]) -> list[Path]:
        """Take overrides away; those that were there. Without ``nodes``: the one for everything. Raises OSError."""
        removed = []
        for name in sorted(nodes) or [""]:
            path = self.path(kind, name)
            with contextlib.suppress(FileNotFoundError), self._holding(path) as directory:
                if directory.remove(path.name):
                    removed.append(path)
        return removed
