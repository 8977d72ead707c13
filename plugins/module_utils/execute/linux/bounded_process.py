# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site's own programs: bounded in time, in an environment of their own."""

from __future__ import annotations

import _signal
import os
import select
import time

from . import procfs, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_MOST = 4096
_ROUNDS = 100
_PAUSE = 0.01


class Answer:
    """What a program said: its exit code (None: it was stopped at its time limit, or by a signal), and its output."""

    __slots__ = ("code", "output")

    def __init__(self, code: int | None, output: str) -> None:
        self.code = code
        self.output = output


def run(program: str, facts: dict[str, str], timeout: int, words: Sequence[str] = ()) -> Answer:
    """Run a program with facts in its environment; its output is cut after some KiB, its time after ``timeout`` seconds.

    When that is over, all that it has started ends with it, in whatever session it is.

    Raises:
        OSError: it cannot be executed.
    """
    # What a child of its has started is then still below this process.
    syscalls.adopt_orphans()
    others = procfs.children(os.getpid())
    reader, writer = os.pipe()
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_DUP2, writer, 2)]
    try:
        pid = os.posix_spawn(program, [program, *words], {**_ENVIRONMENT, **facts}, file_actions=actions, setsid=True)
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
        os.close(null)
    output, in_time = _read(reader, time.monotonic() + timeout)
    os.close(reader)
    if not in_time:
        os.killpg(pid, _signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if not in_time:
        _end_all_but(others)
    code = os.WEXITSTATUS(status) if in_time and os.WIFEXITED(status) else None
    return Answer(code, output.decode(errors="replace").strip())


def _end_all_but(others: list[int]) -> None:
    """End all that is below this process, but what was there before."""
    for _ in range(_ROUNDS):
        left = [pid for pid in procfs.children(os.getpid()) if pid not in others]
        if not left:
            return
        # What has lost its parent comes to this process: the next round finds what is further below.
        for pid in [each for top in left for each in (top, *procfs.children(top))]:
            try:
                os.kill(pid, _signal.SIGKILL)
            except OSError:
                continue
        for pid in left:
            os.waitpid(pid, os.WNOHANG)
        time.sleep(_PAUSE)


def _read(reader: int, end: float) -> tuple[bytes, bool]:
    """All that is written until the last writer is gone, and whether that was in time."""
    output = b""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while True:
        left = end - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return output, False
        chunk = os.read(reader, _MOST)
        if not chunk:
            return output, True
        output = (output + chunk)[:_MOST]
