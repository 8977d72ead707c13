# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Payloads: what a pilot job, itself in a switch, asks to have run as an account of its own.

The pilot's monitor answers at a socket that the pilot's account alone may use; each payload gets a monitor of its own, in
the pilot's cgroup, and goes the way of every job from there.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys

from .. import admission, audit
from ..accounts import leases
from ..drivers import choice
from ..errors import CLIENT, REFUSED, SYSTEM, SwitchError
from ..ipc.channel import LineChannel
from ..ipc.signals import restore_signals
from ..isolation.program import Program
from ..job import Job
from ..linux import procfs
from ..settings import SwitchSettings
from ..supervisor import shim, supervisor
from . import protocol

_ENVIRONMENT = {b"PATH": b"/usr/local/bin:/usr/bin:/bin", b"LANG": b"C.UTF-8"}
_PEER = 12
"""Bytes of struct ucred (unix(7)): pid, uid, gid."""
_EXECUTABLE = "payload"


class Server:
    """The socket of one pilot."""

    def __init__(self, settings: SwitchSettings, job: Job, uid: int) -> None:
        self._settings = settings
        self._job = job
        self._uid = uid
        self._place = f"{settings.payload_directory}/{uid}"
        self._children: list[int] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC, 0)
        self._forget_place()
        self._socket.bind(self._place)
        # Whoever connects is asked who he is.
        os.chmod(self._place, 0o666)
        self._socket.listen(8)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def serve(self) -> None:
        """Take one call and give it a process of its own."""
        self._children = [pid for pid in self._children if os.waitpid(pid, os.WNOHANG)[0] == 0]
        channel, _ = self._socket.accept()
        pid = os.fork()
        if pid == 0:
            try:
                procfs.close_descriptors((0, 1, 2, channel.fileno()))
                restore_signals()
                _Payload(self._settings, self._job, self._uid, channel).answer()
            finally:
                os._exit(0)
        channel.close()
        self._children.append(pid)

    def close(self) -> None:
        """Answer no more. Payloads that run end with the pilot."""
        self._socket.close()
        self._forget_place()

    def _forget_place(self) -> None:
        try:
            os.unlink(self._place)
        except FileNotFoundError:
            pass


class _Pilot:
    """A pilot's messages in the place of the starter's signals."""

    def __init__(self, lines: LineChannel) -> None:
        self._lines = lines

    def fileno(self) -> int:
        return self._lines.fileno()

    def read(self) -> list[int]:
        message = self._lines.receive()
        if message is None:
            raise SwitchError(CLIENT, "The pilot is gone")
        word, _, number = message.partition(" ")
        return [int(number)] if word == "signal" and number.isdigit() and 0 < int(number) < 65 else []


class _Payload:
    """One call of a pilot."""

    def __init__(self, settings: SwitchSettings, pilot: Job, uid: int, channel: socket.socket) -> None:
        self._settings = settings
        self._pilot = pilot
        self._uid = uid
        self._channel = channel
        self._lines = LineChannel(channel.fileno(), channel.fileno())
        self._record = audit.Record(pilot, "payload", settings.mode, settings.driver)

    def answer(self) -> None:
        """Run what is called for, and tell the pilot how it ended."""
        try:
            self._lines.send(f"ended {self._run()}")
        except SwitchError as error:
            self._record.refused(error)
            self._lines.send(f"error {error.code} {error}")

    def _run(self) -> int:
        credentials = self._channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER)
        peer = int.from_bytes(credentials[4:8], sys.byteorder)
        if peer != self._uid:
            raise SwitchError(REFUSED, f"uid {peer} called for a payload of uid {self._uid}'s job")
        try:
            # Read even when it is refused: a caller that is still writing would not read why.
            wanted, descriptors = protocol.receive(self._channel)
        except (OSError, ValueError) as error:
            raise SwitchError(CLIENT, f"The call makes no sense: {error}") from None
        if not self._pilot.known() or not admission.matches(self._settings.payload_caller, self._pilot.user, self._pilot.owner):
            raise SwitchError(REFUSED, f"{self._pilot.user} may not have payloads run (payload_caller)")
        payload = self._pilot.payload(wanted.owner or self._pilot.user, _new_sandbox(self._settings))
        self._record = audit.Record(payload, "payload", self._settings.mode, self._settings.driver)
        self._record.fields["PILOT"] = self._pilot.user
        try:
            return self._switch(payload, wanted, descriptors)
        finally:
            shutil.rmtree(payload.sandbox, ignore_errors=True)

    def _switch(self, payload: Job, wanted: protocol.PayloadRequest, descriptors: list[int]) -> int:
        named = os.fsdecode(wanted.words[0])
        # Only what the host itself has by this name is called by it: a pilot may name one file and hand over another.
        executable = named if _is(named, descriptors[3]) else f"{payload.sandbox}/{_EXECUTABLE}"
        self._record.fields["EXECUTABLE"] = executable
        self._record.fields["NAMED"] = named
        admission.check(self._settings, payload, executable)
        program = _program(self._settings, payload, wanted, descriptors[3])
        self._record.fields["SHA256"] = audit.digest(os.fsdecode(program.words[0]))
        lease = leases.lease(self._settings)
        self._record.account(lease.account)
        driver = choice.for_account(self._settings, lease)
        driver.begin()
        for target, descriptor in enumerate(descriptors[:3]):
            os.dup2(descriptor, target)
        program.environment[b"USER"] = lease.account.name.encode()
        return shim.run(supervisor.Run(self._settings, payload, driver, program, self._record), _Pilot(self._lines)).status


def _is(path: str, descriptor: int) -> bool:
    """Whether a path of the host is the file that a descriptor stands for."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False


def _new_sandbox(settings: SwitchSettings) -> str:
    # Named as the starters', by a process that lives: condor_preen leaves those alone.
    sandbox = f"{os.path.realpath(settings.execute)}/dir_{os.getpid()}"
    try:
        os.mkdir(sandbox, 0o700)
    except OSError as error:
        raise SwitchError(SYSTEM, f"The payload's directory cannot be made: {error}") from None
    return sandbox


def _program(settings: SwitchSettings, payload: Job, wanted: protocol.PayloadRequest, source: int) -> Program:
    """The payload as a program in its own directory: the pilot's files are none that another account can read."""
    sandbox = os.fsencode(payload.sandbox)
    kept = {
        name: value
        for name, value in wanted.environment.items()
        if admission.matches(settings.payload_preserve, os.fsdecode(name))
    }
    environment = {**_ENVIRONMENT, **kept, b"HOME": sandbox, b"TMPDIR": sandbox}
    target = f"{payload.sandbox}/{_EXECUTABLE}"
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o755)
    with os.fdopen(handle, "wb") as file, os.fdopen(source, "rb") as original:
        shutil.copyfileobj(original, file)
    return Program([os.fsencode(target), *wanted.words[1:]], environment, payload.sandbox, [])
