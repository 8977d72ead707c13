# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What condor_config_val -dump -verbose prints."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)(?: =(?: (.*))?| @=(\S*))$")
_AT = " # at: "


@dataclass(frozen=True)
class Definition:
    """The definition of a name that is in force: the last one that HTCondor has read."""

    name: str
    raw: str
    """As it stands there; $(NAME) of the same name is already replaced by what was before."""
    file: str
    """Or a word in angle brackets, such as <Default> or <Environment>."""
    line: int = 0

    @property
    def place(self) -> str:
        """Where it stands, for a sentence."""
        return f"{self.file}, line {self.line}" if self.line else self.file


def parse(output: str) -> dict[str, Definition]:
    """Return the definitions by name in capitals: HTCondor takes no notice of case."""
    found: dict[str, Definition] = {}
    lines = iter(output.split("\n"))
    name, raw = "", ""
    for line in lines:
        head = _NAME.match(line)
        if head and head[3] is not None:
            name, body = head[1], []
            for inner in lines:
                if inner.strip() == f"@{head[3]}":
                    break
                body.append(inner)
            raw = "\n".join(body).strip()
        elif head:
            name, raw = head[1], (head[2] or "").strip()
        elif line.startswith(_AT) and name:
            file, _comma, rest = line[len(_AT) :].strip().partition(", line ")
            number = re.match(r"\d+", rest)
            found[name.upper()] = Definition(name, raw, file, int(number[0]) if number else 0)
            name = ""
    return found
