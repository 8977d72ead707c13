# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Driver: GNU userv runs a service of ours as the account, for the daemons' user alone.

The job is uservd's child, not the starter's: what it has open is copied through pipes, what it would inherit is sent, and
what is done to the starter's cgroup is handed on as messages. No code of ours has any privilege on the host.
"""

from __future__ import annotations

import _signal
import os
import select
import time

from ..errors import SYSTEM, SwitchError
from ..ipc import framing
from ..ipc.channel import LineChannel
from ..linux import open_files, procfs
from ..sandbox import acl_handover, handover
from . import userv_request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..accounts.leases import Lease
    from ..isolation.mounts import MountView
    from ..isolation.program import Program
    from ..settings import SwitchSettings

name = "userv"

_ANSWER = 30
"""Seconds for uservd to start the service."""
_ENDING = 60
"""Seconds for a service to end once it is told to, or to do what it does."""
_SETTLING = 1.0
_PAUSE = 0.01


class Driver:
    """What one keeper does with one account (:mod:`base`)."""

    elsewhere = True

    def __init__(self, settings: SwitchSettings, lease: Lease) -> None:
        self.lease = lease
        self._userv = settings.userv
        self._link: LineChannel | None = None
        self._given_back = False

    def begin(self) -> None:
        """Nothing takes time here."""

    def ready(self) -> None:
        """Raises SwitchError when there is no userv."""
        if not os.access(self._userv, os.X_OK):
            raise SwitchError(SYSTEM, f"The switch by userv does not work here: {self._userv} cannot be executed")

    def enter(self) -> None:
        """The keeper stays what it is."""

    def hand_over(self, directory: str) -> None:
        """Let the account into a sandbox. Raises OSError."""
        handover.move_in(directory, acl_handover.ByList(self.lease.account.uid))

    def hand_back(self, directory: str) -> list[str]:
        """Take a sandbox back; the links out of it that were removed. Raises OSError."""
        if not self._given_back:
            self.clear()
            self._call(userv_request.RETURN, framing.pack([os.fsencode(directory)]))
        return handover.move_out(directory, acl_handover.ByList(self.lease.account.uid))

    def renew_tokens(self, directory: str) -> None:
        """The account's own copy stays what it is."""

    def start(self, view: MountView, program: Program) -> tuple[int, LineChannel]:
        """Start the service; the pid of userv's client and the link to the job's init. Raises OSError or SwitchError."""
        files = open_files.of_process(view.sandbox)
        wanted = userv_request.Request(view.sandbox, program, userv_request.inherited(), files)
        requests, teller = os.pipe()
        told, answers = os.pipe()
        complaints, complainer = os.pipe()
        # What the service opens itself need not be copied.
        null = os.open(open_files.NULL, os.O_RDWR | os.O_CLOEXEC)
        copied = {file.number: null for file in files}
        errors = os.dup(copied.get(2, 2))
        passed = (requests, answers, errors)
        for descriptor in passed:
            os.set_inheritable(descriptor, True)
        actions = [(os.POSIX_SPAWN_DUP2, copied.get(number, number), number) for number in (0, 1)]
        actions.append((os.POSIX_SPAWN_DUP2, complainer, 2))
        files_of_service = [f"2,fd,write={errors}", f"3,fd,read={requests}", f"4,fd,write={answers}"]
        try:
            pid = self._spawn(userv_request.RUN, files_of_service, actions)
        finally:
            for descriptor in (*passed, complainer, null):
                os.close(descriptor)
        self._link = link = LineChannel(told, teller)
        _send(teller, userv_request.pack(wanted))
        problem = _problem(link, complaints)
        os.close(complaints)
        if problem:
            self.kill(pid)
            raise SwitchError(SYSTEM, f"The switch by userv to {self.lease.account.name} does not work here: {problem}")
        return pid, link

    def kill(self, pid: int) -> None:
        """Close init's channel: the init ends with all that it has, and the service when it has given the sandbox back."""
        if self._link:
            self._link.close()
            self._link = None
        self._given_back = _wait(pid) == 0

    def settle(self) -> None:
        """Wait for uservd's own process in the account, which ends a moment after its client."""
        self._await_no_process(_SETTLING)

    def clear(self) -> None:
        """Have a service of its own end and remove what is the account's. What stays is seen later."""
        self._call(userv_request.CLEAN, b"")
        # It may have had to end the process by which uservd would have told of its end.
        self._await_no_process(_ENDING)

    def _await_no_process(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while procfs.of_user(self.lease.account.uid) and time.monotonic() < end:
            time.sleep(_PAUSE)

    def _call(self, which: str, data: bytes) -> None:
        """Have a service do its work; what it could not do is seen later. Raises OSError."""
        reader, writer = os.pipe()
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        actions = [(os.POSIX_SPAWN_DUP2, reader, 0), (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
        try:
            pid = self._spawn(which, [], actions)
        finally:
            os.close(reader)
            os.close(null)
        _send(writer, data)
        os.close(writer)
        _wait(pid)

    def _spawn(self, which: str, files: list[str], actions: list[tuple[int, int, int]]) -> int:
        words = [self._userv, "--hidecwd"]
        for file in files:
            words += ["--file", file]
        words += ["--", self.lease.account.name, which]
        return os.posix_spawn(self._userv, words, {}, file_actions=actions)


def _problem(link: LineChannel, complaints: int) -> str:
    """What keeps the service from starting; empty once it has."""
    poll = select.poll()
    poll.register(link.fileno(), select.POLLIN)
    if not poll.poll(_ANSWER * 1000):
        return f"no answer within {_ANSWER} s"
    answer = link.receive()
    if answer is None:
        # The client's words; its copies of cat hold the other end no longer than itself.
        return " ".join(os.read(complaints, 2000).decode(errors="replace").split()) or "no answer"
    return answer.partition(" ")[2]


def _send(writer: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(writer, data) :]
    except BrokenPipeError:
        # Who does not read does not answer either, and says why.
        pass


def _wait(pid: int) -> int:
    """Wait for a client of userv's to end, and end it when it takes too long: uservd then disconnects the service."""
    ended = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    if not poll.poll(_ENDING * 1000):
        os.kill(pid, _signal.SIGKILL)
    os.close(ended)
    return os.waitpid(pid, 0)[1]
