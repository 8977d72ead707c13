# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to HTCondor's command-line tools about a configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .definitions import Definition, parse

#: Seconds for one call of a tool; each takes some ten milliseconds, and emulated machines are slow.
TIMEOUT_S = 60
_ROOT_CONFIG = "/etc/condor/condor_config"
# Stands before each answer: a value may have lines of its own.
_MARK = "@sheepfold@"


class Refused(Exception):
    """HTCondor cannot read the configuration, or what is wanted is not in force with it."""

    def __init__(self, message: str, command: Sequence[str], rc: int, stdout: str, stderr: str) -> None:
        super().__init__(message)
        self.command = list(command)
        self.rc = rc
        self.stdout = stdout
        self.stderr = stderr


@dataclass(frozen=True)
class DaemonView:
    """Whose view of the configuration is asked for."""

    subsystem: str = ""
    local_name: str = ""

    @property
    def options(self) -> list[str]:
        """How condor_config_val is told."""
        options = ["-subsystem", self.subsystem] if self.subsystem else []
        return options + (["-local-name", self.local_name] if self.local_name else [])

    def __str__(self) -> str:
        return self.local_name or self.subsystem


def live_root() -> str:
    """The file that HTCondor's tools begin with."""
    return os.environ.get("CONDOR_CONFIG", _ROOT_CONFIG)


def values(root: str, daemon: DaemonView, texts: Mapping[str, str]) -> dict[str, str]:
    """Expand texts such as ``$(DAEMON_LIST)`` as a daemon would: one answer of one line for each key, empty where there is none.

    Raises:
        Refused: HTCondor cannot read the configuration.
    """
    keys = list(texts)
    # White space at the ends of an argument is lost: the mark ends each answer, too.
    arguments = [f"{_MARK}{number} {texts[key]} {_MARK}" for number, key in enumerate(keys)]
    output = run(
        ["condor_config_val", *daemon.options, "-macro", *arguments], root, "HTCondor's own configuration cannot be read"
    )
    return {key: _answer(output, number) for number, key in enumerate(keys)}


def _answer(output: str, number: int) -> str:
    _before, mark, rest = output.partition(f"{_MARK}{number} ")
    return " ".join(line.strip() for line in rest.partition(_MARK)[0].split("\n")).strip() if mark else ""


def definitions(root: str, pattern: str) -> dict[str, Definition]:
    """Definitions whose names match a regular expression, by name in capitals.

    Raises:
        Refused: HTCondor cannot read the configuration.
    """
    message = "HTCondor cannot read the configuration with these snippets"
    return parse(run(["condor_config_val", "-dump", "-verbose", pattern], root, message))


def run(command: Sequence[str], root: str, message: str) -> str:
    """Return what a tool prints with the configuration that begins at ``root``.

    Raises:
        Refused: the tool failed; ``message`` and what it said.
    """
    answer = call(command, root)
    if answer.returncode:
        lines = [line for line in (answer.stdout + answer.stderr).splitlines() if line.strip()]
        raise Refused(f"{message}: {' '.join(lines[:4])}", command, answer.returncode, answer.stdout, answer.stderr)
    return answer.stdout


def call(command: Sequence[str], root: str) -> subprocess.CompletedProcess[str]:
    """Call a tool with the configuration that begins at ``root``.

    Raises:
        Refused: it is missing, or gives no answer.
    """
    try:
        return subprocess.run(
            list(command),
            env={**os.environ, "CONDOR_CONFIG": root, "LC_ALL": "C.UTF-8"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise Refused(f"{command[0]} is missing: expected HTCondor to be installed", command, 127, "", "") from error
    except subprocess.TimeoutExpired as error:
        raise Refused(f"{command[0]} gave no answer within {TIMEOUT_S} s", command, -1, "", "") from error
