# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that the starter knows as the job: hands its signals on, and ends as the job ended."""

from __future__ import annotations

import _signal
import os
import select

from .errors import SYSTEM, SwitchError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .accounts import Lease
    from .ending import Ending
    from .interface import Driver
    from .keeper import Run
    from .link import Link
    from .payload import Server
    from .settings import Settings
    from .source import Source

#: What can be caught and is not about the monitor itself.
RELAYED = tuple(
    number
    for number in range(1, 32)
    if number not in (_signal.SIGKILL, _signal.SIGSTOP, _signal.SIGCHLD, _signal.SIGSEGV, _signal.SIGBUS, _signal.SIGFPE)
)


class Signals:
    """Signals to this process, as bytes to read. Those that came before are read first."""

    def __init__(self) -> None:
        self._woken, waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(waker, False)
        _signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in RELAYED:
            _signal.signal(number, lambda *_: None)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._woken

    def read(self) -> list[int]:
        """The numbers of the signals that came."""
        try:
            return list(os.read(self._woken, 256))
        except BlockingIOError:
            return []


def driver(settings: Settings, lease: Lease) -> Driver:
    """The driver that the settings name, for one account."""
    if settings.driver == "userv":
        from . import userv

        return userv.Driver(settings, lease)
    from . import newuidmap

    return newuidmap.Driver(settings, lease)


def run(work: Run, signals: Source, server: Server | None = None) -> Ending:
    """Have a keeper run a job; how it ended. ``server`` answers the job's calls meanwhile.

    Raises:
        SwitchError: it was not run, or nobody knows how it ended.
    """
    work.driver.ready()
    try:
        return follow(start_keeper(work), signals, server)
    finally:
        if server:
            server.close()


def start_keeper(work: Run) -> Link:
    """Start the keeper of a job; the link to it."""
    from . import keeper, link

    ours, theirs = link.pair()
    if os.fork() == 0:
        try:
            restore_signals()
            os.setsid()
            ours.close()
            keeper.run(theirs, work)
        finally:
            os._exit(0)
    theirs.close()
    # The keeper's alone from here on: it may outlive this process.
    os.close(work.lease.descriptor)
    if work.alone >= 0:
        os.close(work.alone)
    return ours


def follow(reins: Link, signals: Source, server: Server | None) -> Ending:
    """Hand signals on until the keeper says how the job ended. Raises SwitchError."""
    from . import ending

    poll = select.poll()
    poll.register(reins.fileno(), select.POLLIN)
    poll.register(signals.fileno(), select.POLLIN)
    if server:
        poll.register(server.fileno(), select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if server and descriptor == server.fileno():
                server.serve()
                continue
            if descriptor == signals.fileno():
                for number in signals.read():
                    reins.send(f"signal {number}")
                continue
            message = reins.receive()
            if message is None:
                raise SwitchError(SYSTEM, "The keeper of the job is gone; how the job ended is not known")
            word, _, rest = message.partition(" ")
            if word == "ended":
                return ending.from_message(message)
            if word == "error":
                code, _, text = rest.partition(" ")
                raise SwitchError(int(code), text)


def end_as(status: int) -> None:
    """End this process as a wait status says. Does not return."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (_signal.SIGKILL, _signal.SIGSTOP):
            _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else SYSTEM)


def restore_signals() -> None:
    """Undo what :class:`Signals` did, in a child."""
    _signal.set_wakeup_fd(-1)
    for number in RELAYED:
        _signal.signal(number, _signal.SIG_DFL)
