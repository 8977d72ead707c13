# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands in processes that can be killed.

A send to a hung HTCondor daemon may never return (seen with the bindings and with condor_off), so that nothing talks
to HTCondor in our own process, and every such process has a deadline.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import CommandFailed, CondorError, NoAnswer

_PATH = ("/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/local/sbin")


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment with HTCondor's tools in the path and untranslated messages, and ``settings`` on top."""
    path = os.environ.get("PATH", "").split(os.pathsep)
    path += [directory for directory in _PATH if directory not in path]
    return {**os.environ, "PATH": os.pathsep.join(filter(None, path)), "LC_ALL": "C", **(settings or {})}


def source_of(module: ModuleType) -> str:
    """The directory or archive that a module of ours is imported from, for the PYTHONPATH of another process."""
    return str(Path(module.__file__ or "").parents[len(module.__name__.split(".")) - 1])


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process that leads a session of its own, with whatever it started, and collect it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def discard(process: subprocess.Popen[Any]) -> None:
    """End a process and let go of its pipes: a grandchild that has left the session could hold their other ends open."""
    end(process)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()


def run(command: Sequence[str], deadline: float, settings: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and return what it wrote to stdout.

    ``deadline`` is in seconds. Raises NoAnswer when that passes, after killing the command; CommandFailed on an exit
    status other than 0; CondorError when the command is not there.
    """
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment(settings),
            start_new_session=True,
        )
    except OSError as error:
        raise CondorError(f"cannot run {command[0]}: {error.strerror}") from error
    try:
        stdout, stderr = process.communicate(timeout=deadline)
    except subprocess.TimeoutExpired:
        discard(process)
        raise NoAnswer(f"{command[0]} had no answer within {deadline:g} s and was ended") from None
    except BaseException:
        end(process)
        raise
    if process.returncode != 0:
        raise CommandFailed(command, process.returncode, stdout, stderr)
    return stdout
