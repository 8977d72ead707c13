# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HTCondor's running daemons have for the parameters that snippets append to.

A daemon may have other values than its files say: from its environment (``_CONDOR_…``), from a setting at run time, or since it
has not read them yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .assignments import assignments
from .lookup import order, permission
from .tools import DaemonView, call, live_root, values

#: Daemons that say in a file where they listen.
ASKED = ("MASTER", "COLLECTOR", "NEGOTIATOR", "SCHEDD", "STARTD")
_UNDEFINED = "Not defined"


@dataclass(frozen=True)
class Difference:
    """A parameter for which a daemon does not have what its files say; a daemon that does not answer has no parameter."""

    daemon: str
    name: str = ""
    running: str = ""
    expected: str = ""

    def __str__(self) -> str:
        if not self.name:
            return f"{self.daemon} runs and does not say what it has in its configuration: {self.running}"
        return (
            f"{self.name} of the running {self.daemon} is {self.running!r}: expected {self.expected!r}, as its files say; look"
            f" for _CONDOR_{self.name} in its environment and for a setting at run time (condor_config_val -rset)"
        )


def names_of(texts: Iterable[str], daemon: str) -> list[str]:
    """Return the parameters that snippets append to and that this daemon looks for, without prefixes."""
    found: dict[str, None] = {}
    for text in texts:
        for each in assignments(text):
            if not each.appends or each.prefix.upper() not in ("", daemon):
                continue
            parts = permission(each.base)
            if parts and parts[2] not in ("", daemon):
                continue
            names = order(each.base, daemon) if parts else [each.base]
            found |= dict.fromkeys(name.rpartition(".")[2] for name in names)
    return list(found)


def differences(texts: Iterable[str]) -> list[Difference]:
    """Return what running daemons have otherwise than their files say.

    Raises:
        Refused: HTCondor cannot read its configuration.
    """
    root, snippets = live_root(), list(texts)
    asked = {name: f"$({name}_ADDRESS_FILE)" for name in ASKED}
    places = values(root, DaemonView("MASTER"), {**asked, "": "$(DAEMON_LIST)"})
    started = {"MASTER", *places[""].upper().replace(",", " ").split()}
    found = []
    for name in ASKED:
        wanted = names_of(snippets, name)
        if name in started and wanted:
            expected = values(root, DaemonView(name), {each: f"$({each})" for each in wanted})
            found += _compared(root, name, places[name], expected)
    return found


def _compared(root: str, daemon: str, place: str, expected: Mapping[str, str]) -> list[Difference]:
    try:
        address = Path(place).read_text().splitlines()[0]
    except (OSError, IndexError):
        return [Difference(daemon, running=f"there is no address in {place}")]
    answers = _ask(root, address, list(expected))
    if isinstance(answers, str):
        return [Difference(daemon, running=answers)]
    return [
        Difference(daemon, name, " ".join(answer.split()), " ".join(expected[name].split()))
        for name, answer in answers.items()
        if answer.split() != expected[name].split()
    ]


def _ask(root: str, address: str, names: list[str]) -> dict[str, str] | str:
    command = ["condor_config_val", "-address", address]
    answer = call([*command, *names], root)
    lines = answer.stdout.removesuffix("\n").split("\n")
    if answer.returncode:
        return " ".join((answer.stderr + answer.stdout).split())[:200]
    if len(lines) == len(names):
        return {name: "" if line == _UNDEFINED else line for name, line in zip(names, lines)}
    # One of them has several lines.
    single = {name: call([*command, name], root).stdout.strip() for name in names}
    return {name: "" if text == _UNDEFINED else text for name, text in single.items()}
