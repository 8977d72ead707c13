# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that the starter knows as the job: hands its signals on, and ends as the job ended."""

from __future__ import annotations

import _signal
import os
import select

from ..errors import SYSTEM, SwitchError
from ..ipc.signals import restore_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ipc.channel import SeqpacketChannel
    from ..ipc.job_exit import Ending
    from ..ipc.sources import CallServer, Source
    from .supervisor import Run


def run(work: Run, signals: Source, server: CallServer | None = None) -> Ending:
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


def start_keeper(work: Run) -> SeqpacketChannel:
    """Start the keeper of a job; the link to it."""
    from ..ipc import channel
    from . import supervisor

    ours, theirs = channel.pair()
    if os.fork() == 0:
        try:
            restore_signals()
            os.setsid()
            ours.close()
            supervisor.run(theirs, work)
        finally:
            os._exit(0)
    theirs.close()
    # The keeper's alone from here on: it may outlive this process.
    os.close(work.lease.descriptor)
    if work.alone >= 0:
        os.close(work.alone)
    return ours


def follow(init_channel: SeqpacketChannel, signals: Source, server: CallServer | None) -> Ending:
    """Hand signals on until the keeper says how the job ended. Raises SwitchError."""
    from ..ipc import job_exit

    poll = select.poll()
    poll.register(init_channel.fileno(), select.POLLIN)
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
                    init_channel.send(f"signal {number}")
                continue
            message = init_channel.receive()
            if message is None:
                raise SwitchError(SYSTEM, "The keeper of the job is gone; how the job ended is not known")
            word, _, rest = message.partition(" ")
            if word == "ended":
                return job_exit.from_message(message)
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
