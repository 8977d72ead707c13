# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``--diff`` shows of changed files: short enough to be read for forty nodes.

A text that changes is shown line by line. What is new, what is removed and the collection's own programs have one line each,
because nobody decides by reading them there; programs of one directory share a line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

#: How many digits of a SHA-256 are shown.
_DIGITS = 12


def digest(text: str) -> str:
    """Return the first digits of the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:_DIGITS]


class FileDiff:
    """Collects what happens to files; ``before`` or ``after`` is None where there is no file.

    Attributes:
        whole: show each text as a whole, as for ``ansible-playbook -v``.
    """

    def __init__(self, whole: bool = False) -> None:
        self.whole = whole
        self._texts: list[dict[str, str]] = []
        self._lines: list[str] = []
        self._programs: dict[str, dict[str, tuple[str | None, str | None]]] = {}

    def text(self, path: str, before: str | None, after: str | None) -> None:
        """Note a file that is made, changed or removed."""
        if self.whole or (before is not None and after is not None):
            self._texts.append({"before_header": path, "after_header": path, "before": before or "", "after": after or ""})
        elif after is not None:
            self._lines.append(f"+ {path}: new, {_lines_of(after)}, sha256 {digest(after)}")
        else:
            self._lines.append(f"- {path}: removed, {_lines_of(before or '')}")

    def program(self, path: str, before: str | None, after: str | None) -> None:
        """Note one of the collection's programs."""
        if self.whole:
            self.text(path, before, after)
            return
        place = PurePosixPath(path)
        self._programs.setdefault(str(place.parent), {})[place.name] = (before, after)

    def line(self, sign: str, path: str, what: str) -> None:
        """Note what has no text: a directory, an owner, a mode."""
        self._lines.append(f"{sign} {path}: {what}")

    def result(self) -> list[dict[str, str]]:
        """Return it as a module's ``diff``."""
        lines = [*self._lines, *(_of_directory(path, programs) for path, programs in self._programs.items())]
        prepared = [{"prepared": "".join(f"{line}\n" for line in dict.fromkeys(lines))}] if lines else []
        return [*self._texts, *prepared]


def _lines_of(text: str) -> str:
    count = len(text.splitlines())
    return "1 line" if count == 1 else f"{count} lines"


def _together(texts: Iterable[str | None]) -> str:
    """Return one digest for several files, or that none of them is there."""
    there = [text for text in texts if text is not None]
    if not there:
        return "none"
    return digest(there[0] if len(there) == 1 else "".join(digest(text) for text in there))


def _of_directory(directory: str, programs: dict[str, tuple[str | None, str | None]]) -> str:
    """Return the one line of a directory's programs: how many, and their digest before and after."""
    names = sorted(programs)
    what = f"{directory}/{names[0]}: program" if len(names) == 1 else f"{directory}/: {len(names)} programs"
    before, after = (_together(programs[name][side] for name in names) for side in (0, 1))
    sign = "+" if before == "none" else "-" if after == "none" else "~"
    return f"{sign} {what}, sha256 {before} -> {after}"
