# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A switch that stands by: it gets ready while the starter fetches the job's files, and is the job's keeper once that starts.

The role's ``job-starter`` makes two named pipes for it, and the first stage that the starter starts (``job-switch``) calls
it by ``job PID``. The answer is ``begun``; at any other, or none, the first stage starts a switch itself. After that it hears
``signal N`` and tells what a keeper tells (:mod:`supervisor`), to what the first stage has become (``job-follow``).
"""

from __future__ import annotations

import os
import select

from . import job, run_job, settings
from .accounts import leases, sandbox_lock
from .drivers import choice
from .errors import SwitchError
from .ipc.channel import LineChannel
from .isolation.program import Program
from .linux import coredump, procfs
from .supervisor import supervisor, takeover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .audit import Record
    from .drivers.base import Driver

_LOOK_MS = 10
"""Milliseconds between two looks whether the starter has a sandbox."""
_TRACING = "/proc/sys/kernel/yama/ptrace_scope"


def main(path: str) -> None:
    """Stand by for the job of a starter, and keep it to its end; give up where that cannot be, or when the starter is gone.

    ``path``: of the pipes, without their endings ``.call`` and ``.answer``; its last part is the starter's pid.
    """
    paths = (f"{path}.call", f"{path}.answer")
    called = None
    try:
        text = _settings()
        known = settings.parse(text)
        if _is_possible(known):
            os.setsid()
            called = _stand_by(known, text, int(os.path.basename(path)), paths)
    except (OSError, SwitchError, ValueError):
        # Whoever calls finds nobody, starts a switch himself, and says why that cannot be done.
        pass
    finally:
        _remove(paths)
    if called:
        called()


def _settings() -> str:
    with open(settings.PATH, encoding="utf-8") as file:
        return file.read()


def _is_possible(known: settings.SwitchSettings) -> bool:
    """Whether a switch can stand by at all: it takes descriptors from another process, and answers no pilot's calls."""
    try:
        with open(_TRACING, encoding="utf-8") as file:
            forbidden = file.read().strip() != "0"
    except OSError:
        # A kernel without that limit.
        forbidden = False
    return not forbidden and known.mode == "identity" and known.driver == "newuidmap" and not known.payload_caller


def _stand_by(known: settings.SwitchSettings, text: str, starter: int, paths: tuple[str, str]) -> Callable[[], None] | None:
    """Get ready and wait for the call; what it asks for, None when nobody calls. Raises OSError, SwitchError or ValueError."""
    gone = os.pidfd_open(starter)
    call = os.open(paths[0], os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(call, True)
    # For reading and writing: that opens without another.
    caller = _FirstStage(call, os.open(paths[1], os.O_RDWR | os.O_CLOEXEC))
    procfs.close_descriptors((0, 1, 2, gone, *caller.descriptors))
    lease = called = None
    try:
        lease = leases.lease(known)
        lease.held_for(starter)
        driver = choice.for_account(known, lease)
        driver.begin()
        driver.ready()
        claim = _wait(known, starter, gone, caller)
        pid = _first_stage(caller)
        if pid and _settings() == text:
            found = takeover.call_of(pid, starter)
            takeover.take_place(pid)
            called = found
    finally:
        if called is None:
            # Whoever calls is not to wait.
            caller.send("none")
            if lease:
                # Nothing has run as the account.
                lease.clear()
    if called is None:
        return None
    caller.send("begun")
    coredump.leave_none()
    return lambda: _answer(caller, known, driver, (starter, claim), called)


def _wait(known: settings.SwitchSettings, starter: int, gone: int, caller: LineChannel) -> job.Claim | None:
    """Wait for the call or the starter's end. Meanwhile the startd is asked whose job it will be; None when it was not."""
    poll = select.poll()
    poll.register(gone, select.POLLIN)
    poll.register(caller.fileno(), select.POLLIN)
    claim = None
    while not poll.poll(None if claim else _LOOK_MS):
        claim = job.claim_of_starter(starter, known)
        if claim:
            claim.ask()
    return claim


def _first_stage(caller: LineChannel) -> int:
    """The process that calls; 0 when none does: the starter is gone."""
    if not select.select([caller], [], [], 0)[0]:
        return 0
    word, _, number = (caller.receive() or "").partition(" ")
    return int(number) if word == "job" else 0


def _answer(
    caller: _FirstStage,
    known: settings.SwitchSettings,
    driver: Driver,
    whose: tuple[int, job.Claim | None],
    called: takeover.StarterCommand,
) -> None:
    """Run the job to its end, or say why it is not run."""
    starter, claim = whose
    try:
        this = job.of_starter(starter, known, claim)
        executable = os.fsdecode(called.words[0])
        record = caller.record = run_job.record_of(known, this, executable)
        mine = sandbox_lock.in_sandbox_of(starter, known.run_directory)
        program = Program(called.words, called.environment, called.directory, procfs.ignored_signals(starter))
        run_job.admit(known, this, executable, record)
    except SwitchError as error:
        caller.refuse(error)
        return
    record.account(driver.lease.account)
    work = supervisor.Run(known, this, driver, program, record)
    work.alone = mine
    supervisor.run(caller, work)


class _FirstStage(LineChannel):
    """The first stage. What it is told of a job that is not run goes to the record too."""

    __slots__ = ("record",)

    def __init__(self, reader: int, writer: int) -> None:
        super().__init__(reader, writer)
        self.record: Record | None = None

    def send(self, message: str) -> bool:
        """Send a message; False when nobody is at the other end."""
        word, _, rest = message.partition(" ")
        if word == "error" and self.record:
            code, _, text = rest.partition(" ")
            self.record.refused(SwitchError(int(code), text))
        return super().send(message)

    def refuse(self, error: SwitchError) -> None:
        """Say why there is no job; of a quiet error the starter is not told."""
        self.send(f"refused {error.code}" if error.quiet else f"error {error.code} {error}")


def _remove(paths: tuple[str, str]) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
