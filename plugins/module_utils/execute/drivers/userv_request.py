# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper asks the service in an account to run, where neither is the other's child: userv hands nothing on."""

from __future__ import annotations

import os
import resource

from ..ipc import framing
from ..isolation.program import Program
from ..linux import coredump, open_files

#: The services, by uservd's names.
RUN = "sheepfold-job"
RETURN = "sheepfold-return"
CLEAN = "sheepfold-clean"

_LIMITS = ("AS", "CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO", "STACK")


class Request:
    """A job: its sandbox, its program, and what a process has from its parent (:func:`inherited`).

    ``files``: those that the keeper has open for it, by number (:mod:`open_files`).
    """

    __slots__ = ("files", "inherited", "program", "sandbox")

    def __init__(self, sandbox: str, program: Program, inherited: list[str], files: list[open_files.OpenFile]) -> None:
        self.sandbox = sandbox
        self.program = program
        self.inherited = inherited
        self.files = files


def pack(request: Request) -> bytes:
    """A request as bytes."""
    program = request.program
    head = [
        os.fsencode(request.sandbox),
        os.fsencode(program.directory),
        " ".join(str(number) for number in program.ignored).encode(),
        " ".join(request.inherited).encode(),
        framing.body([open_files.pack(file) for file in request.files]),
    ]
    return framing.pack(head + framing.program_fields(program.words, program.environment))


def from_fields(fields: list[bytes]) -> Request:
    """The request that fields tell of. Raises ValueError when they tell of none."""
    if len(fields) < 6:
        raise ValueError("fields are missing")
    words, environment = framing.program_of(fields[5:])
    sandbox, directory, ignored, inherited = (os.fsdecode(field) for field in fields[:4])
    files = [open_files.unpack(field) for field in framing.unpack(fields[4])]
    program = Program(words, environment, directory, [int(number) for number in ignored.split()])
    return Request(sandbox, program, inherited.split(), files)


def inherited() -> list[str]:
    """What a child of this process would have from it: umask, niceness, processors, oom_score_adj (proc(5)), limits."""
    mask = os.umask(0o077)
    os.umask(mask)
    with open("/proc/self/oom_score_adj", encoding="utf-8") as file:
        badness = file.read().strip()
    processors = ",".join(str(number) for number in sorted(os.sched_getaffinity(0)))
    found = [f"umask={mask}", f"nice={os.nice(0)}", f"processors={processors}", f"badness={badness}"]
    for name in _LIMITS:
        soft, hard = coredump.limit() if name == "CORE" else resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
        found.append(f"{name}={soft},{hard}")
    return found


def inherit(values: list[str]) -> None:
    """Take what :func:`inherited` found, where this process may. Raises ValueError for what it cannot have found."""
    for value in values:
        name, _, number = value.partition("=")
        try:
            _inherit(name, [int(each) for each in number.split(",")])
        except OSError:
            # More than this process may have: it keeps the less that it has.
            continue


def _inherit(name: str, numbers: list[int]) -> None:
    if name == "umask":
        os.umask(numbers[0] & 0o777)
    elif name == "nice":
        os.nice(numbers[0] - os.nice(0))
    elif name == "processors":
        os.sched_setaffinity(0, numbers)
    elif name == "badness":
        with open("/proc/self/oom_score_adj", "w", encoding="utf-8") as file:
            file.write(str(numbers[0]))
    elif name in _LIMITS:
        kind = getattr(resource, f"RLIMIT_{name}")
        most = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (_least(numbers[0], most), _least(numbers[1], most)))
    else:
        raise ValueError(f"{name} is nothing that is inherited")


def _least(wanted: int, most: int) -> int:
    if most == resource.RLIM_INFINITY:
        return wanted
    return most if wanted == resource.RLIM_INFINITY else min(wanted, most)
