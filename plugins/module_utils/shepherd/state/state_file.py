# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cycle leaves to the next, in a file.

A cache: one that is missing or broken is an empty one, and nothing is lost but time.
It is replaced as a whole, and on the disk before it is in its place: a reader sees the old one or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...condor.goals import Verb
from ...host.directory import Directory
from ..decide import remember
from ..model import Memory, Result
from ..observe.collector_start import CollectorStart

VERSION = 1
MEMORY = "memory.json"
"""its name in the state directory"""
_BYTES_MOST = 256 << 20
"""of 10,000 nodes it has 5 million"""


@dataclass(frozen=True)
class Kept:
    """What is kept."""

    memory: Memory = field(default_factory=Memory)
    results: tuple[Result, ...] = ()
    """of the last cycle's actions"""
    cores: Mapping[str, int] = field(default_factory=dict)
    """of the regular sides that were ever seen"""
    seen: Mapping[str, int] = field(default_factory=dict)
    """when these were last seen, epoch seconds"""
    collectors: Mapping[str, CollectorStart] = field(default_factory=dict)
    """when each was started, by its address"""
    downtimes: Mapping[str, str] = field(default_factory=dict)
    """nodes that monitoring was told to be silent about, and its name for that"""


def _numbers(values: Any) -> dict[str, int]:
    if not isinstance(values, dict) or not all(type(each) is int for each in values.values()):
        raise ValueError
    return dict(values)


def _texts(values: Any) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(each, str) for each in values.values()):
        raise ValueError
    return dict(values)


def _starts(values: Any) -> dict[str, CollectorStart]:
    return {collector: CollectorStart(**_numbers(start)) for collector, start in values.items()}


def _result(values: Any) -> Result:
    return Result(str(values["node"]), Verb(values["verb"]), str(values["error"]), bool(values["refused"]))


def parse(text: str) -> tuple[Kept, str]:
    """What a file's text says, and what was wrong with its memory. Raises ValueError when all of it is broken."""
    try:
        values = json.loads(text)
        if values["version"] != VERSION:
            raise ValueError
        memory, problem = remember.load(values["memory"])
        kept = Kept(
            memory=memory,
            results=tuple(map(_result, values["results"])),
            cores=_numbers(values["cores"]),
            seen=_numbers(values["seen"]),
            collectors=_starts(values["collectors"]),
            downtimes=_texts(values["downtimes"]),
        )
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError("the shepherd's memory is broken") from error
    return kept, problem


def render(kept: Kept) -> str:
    """The text that ``parse`` reads back."""
    return json.dumps(
        {
            "version": VERSION,
            "memory": remember.dump(kept.memory),
            "results": [
                {"node": each.node, "verb": each.verb.value, "error": each.error, "refused": each.refused}
                for each in kept.results
            ],
            "cores": dict(kept.cores),
            "seen": dict(kept.seen),
            "collectors": {collector: vars(start) for collector, start in kept.collectors.items()},
            "downtimes": dict(kept.downtimes),
        },
        separators=(",", ":"),
    )


class MemoryFile:
    """The file. What this process has written and nobody has replaced since is not read again: it is the long part of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: tuple[tuple[int, int, int], Kept] | None = None

    def _identity(self) -> tuple[int, int, int]:
        status = self.path.lstat()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def read(self) -> tuple[Kept, str]:
        """What it says, and what was wrong with it: one sentence, empty when nothing was or there is none yet."""
        try:
            if self._written is not None and self._written[0] == self._identity():
                return self._written[1], ""
            with Directory.open(self.path.parent) as directory:
                content, _owner = directory.read(self.path.name, _BYTES_MOST)
            kept, problem = parse(content.decode("utf-8"))
        except FileNotFoundError:
            return Kept(), ""
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is broken"
            return Kept(), f"the memory in {self.path} is left aside, {why}: begun with an empty one"
        return kept, f"{self.path}: {problem}" if problem else ""

    def write(self, kept: Kept) -> None:
        """Replace it. Raises OSError."""
        self._written = None
        with Directory.open(self.path.parent) as directory:
            directory.write(self.path.name, render(kept).encode(), 0o600, give=True)
        self._written = self._identity(), kept
