# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first process of a job's PID namespace: it starts the job, hands signals on, collects the dead, and ends last."""

from __future__ import annotations

import _signal
import os
import select

from ..ipc import job_exit
from ..linux import procfs, signal_dispositions
from . import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ipc.messages import Messages
    from .program import Program


def run(link: Messages, view: mounts.MountView, program: Program, guardian: int) -> None:
    """Be the init of a job to its end. Called in a new PID, IPC and mount namespace with the account's uid.

    ``link`` brings ``signal N``, ``suspend`` and ``resume``. It tells ``started``, ``failed ERRNO``, and at the end ``ended
    STATUS UTIME STIME MAXRSS``: wait status, seconds of user and system time of all that ran here, KiB of the largest. When
    the other end closes, or the process ends that ``guardian`` stands for (pidfd_open(2)), everything here ends.
    """
    procfs.close_descriptors((0, 1, 2, *link.descriptors, guardian))
    # What Python does at SIGINT, or another before it left behind, would let the job end its own init: the kernel keeps
    # from the first process what that does not handle (pid_namespaces(7)).
    for number in signal_dispositions.ALL:
        if _signal.getsignal(number) is not _signal.SIG_IGN:
            _signal.signal(number, _signal.SIG_DFL)
    mounts.enter(view)
    woken, waker = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(waker, False)
    _signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    job = _start(link, program)
    if job == 0:
        return
    procfs.let_go_of_files()
    status = _until_it_ends(link, woken, job, guardian)
    if status is None:
        return
    # The dead are collected before their use of the processor is asked for.
    try:
        os.kill(-1, _signal.SIGKILL)
        while True:
            os.wait()
    except (ProcessLookupError, ChildProcessError):
        pass
    link.send(job_exit.message(job_exit.of_children(status)))


def _start(link: Messages, program: Program) -> int:
    """Start the job; its pid, or 0 when it could not be executed, which the link was told."""
    told, teller = os.pipe()
    pid = os.fork()
    if pid == 0:
        program.execute(teller)
    os.close(teller)
    number = os.read(told, 16)
    os.close(told)
    if number:
        os.waitpid(pid, 0)
        link.send(f"failed {number.decode()}")
        return 0
    link.send("started")
    return pid


def _until_it_ends(link: Messages, woken: int, job: int, guardian: int) -> int | None:
    """Hand signals on until the job has ended; its wait status, or None when nobody is there any more to tell."""
    poll = select.poll()
    poll.register(link.fileno(), select.POLLIN)
    poll.register(woken, select.POLLIN)
    poll.register(guardian, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == guardian:
                return None
            if descriptor == woken:
                os.read(woken, 4096)
                continue
            message = link.receive()
            if message is None:
                return None
            try:
                _do(message, job)
            except ProcessLookupError:
                continue
        status = _collect(job)
        if status is not None:
            return status


def _do(message: str, job: int) -> None:
    word, _, number = message.partition(" ")
    if word == "signal":
        os.kill(job, int(number))
    # All at once: no fork in between escapes (kill(2)).
    elif word == "suspend":
        os.kill(-1, _signal.SIGSTOP)
    elif word == "resume":
        os.kill(-1, _signal.SIGCONT)


def _collect(job: int) -> int | None:
    """Collect the dead; the job's wait status when it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == job:
            found = status
