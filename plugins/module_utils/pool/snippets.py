# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snippets of HTCondor's configuration: compared, checked by HTCondor in a directory beside the live one, written."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..host.files import make_directory, write_file

#: Seconds for one call of a tool; each takes some ten milliseconds, and emulated machines are slow.
TIMEOUT_S = 60
_ROOT_CONFIG = "/etc/condor/condor_config"


@dataclass(frozen=True)
class File:
    """A file as it shall be; without content it shall not exist."""

    path: Path
    content: str
    mode: int


@dataclass(frozen=True)
class Change:
    """A file that is not as it shall be."""

    file: File
    before: str


@dataclass(frozen=True)
class Expression:
    """A parameter that must be a ClassAd expression for a daemon."""

    name: str
    subsystem: str = ""
    local_name: str = ""


class Refused(Exception):
    """HTCondor cannot read the configuration as it would be."""

    def __init__(self, message: str, command: Sequence[str], rc: int, stdout: str, stderr: str) -> None:
        super().__init__(message)
        self.command = list(command)
        self.rc = rc
        self.stdout = stdout
        self.stderr = stderr


def changes(files: Iterable[File]) -> list[Change]:
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


def check(directory: Path, todo: Sequence[Change], expressions: Iterable[Expression]) -> None:
    """Let HTCondor read its configuration as it would be after these changes.

    Raises:
        Refused: it cannot, or a parameter is no expression.
    """
    with tempfile.TemporaryDirectory(prefix="condor-snippets-") as name:
        # The tools of HTCondor drop to its own user.
        scratch = Path(name)
        scratch.chmod(0o755)
        staged = scratch / "config.d"
        if directory.is_dir():
            shutil.copytree(directory, staged)
        else:
            staged.mkdir()
        for change in todo:
            if change.file.path.parent == directory:
                target = staged / change.file.path.name
                if change.file.content:
                    target.write_text(change.file.content)
                    target.chmod(change.file.mode)
                else:
                    target.unlink(missing_ok=True)
        live = os.environ.get("CONDOR_CONFIG", _ROOT_CONFIG)
        directories = _run(["condor_config_val", "LOCAL_CONFIG_DIR"], live, "HTCondor's own configuration cannot be read").strip()
        mine = [str(staged) if Path(word) == directory else word for word in directories.replace(",", " ").split()]
        if str(staged) not in mine:
            raise Refused(
                f"LOCAL_CONFIG_DIR is {directories!r}: expected {directory} in it, or HTCondor reads no snippet from there",
                ["condor_config_val", "LOCAL_CONFIG_DIR"],
                0,
                directories,
                "",
            )
        root = scratch / "condor_config"
        root.write_text(f"include : {live}\nLOCAL_CONFIG_DIR = {', '.join(mine)}\n")
        _run(["condor_config_val", "MASTER"], str(root), "HTCondor cannot read the configuration with these snippets")
        for expression in expressions:
            _check_expression(expression, str(root))


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


def _check_expression(expression: Expression, root: str) -> None:
    command = ["condor_config_val"]
    if expression.subsystem:
        command += ["-subsystem", expression.subsystem]
    if expression.local_name:
        command += ["-local-name", expression.local_name]
    value = _run([*command, expression.name], root, f"{expression.name} has no value with these snippets").strip()
    # condor_status without ads prints nothing, and a complaint for what is no expression; its exit status is 0 either way.
    command = ["condor_status", "-ads", os.devnull, "-constraint", value]
    answer = _call(command, root)
    if answer.returncode or answer.stdout.strip() or answer.stderr.strip():
        raise Refused(
            f"{expression.name} is {value!r}: expected a ClassAd expression",
            command,
            answer.returncode,
            answer.stdout,
            answer.stderr,
        )


def _run(command: Sequence[str], root: str, message: str) -> str:
    answer = _call(command, root)
    if answer.returncode:
        lines = [line for line in (answer.stdout + answer.stderr).splitlines() if line.strip()]
        raise Refused(f"{message}: {' '.join(lines[:4])}", command, answer.returncode, answer.stdout, answer.stderr)
    return answer.stdout


def _call(command: Sequence[str], root: str) -> subprocess.CompletedProcess[str]:
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
