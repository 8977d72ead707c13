# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One job, in the mode that the settings say."""

from __future__ import annotations

import os

from . import job
from .accounts import leases, sandbox_lock
from .drivers import choice
from .errors import SwitchError
from .ipc.signals import Signals
from .linux import coredump, procfs
from .settings import SwitchSettings
from .supervisor import shim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .audit import Record
    from .drivers.base import Driver
    from .payload.server import Server


def run(settings: SwitchSettings, words: list[bytes], environment: dict[bytes, bytes]) -> None:
    """Run the job of the starter that is this process's parent, and end as it ends. Does not return.

    Raises:
        SwitchError: it is not run.
    """
    coredump.leave_none()
    signals = Signals()
    starter = os.getppid()
    executable = os.fsdecode(words[0])
    try:
        mine, driver = _begin(settings, starter)
    except SwitchError as error:
        record_of(settings, job.of_starter(starter, settings), executable).refused(error)
        raise
    # Imported while the driver's helpers work.
    from .isolation.program import Program
    from .supervisor import log_only, supervisor

    this = job.of_starter(starter, settings)
    record = record_of(settings, this, executable)
    program = Program(words, environment, os.getcwd(), procfs.ignored_signals(starter))
    try:
        admit(settings, this, executable, record)
        if driver:
            record.account(driver.lease.account)
            server = _payloads(settings, this, driver.lease.account.uid)
            work = supervisor.Run(settings, this, driver, program, record)
            work.alone = mine
            found = shim.run(work, signals, server)
        else:
            found = log_only.run(record, program, signals)
    except SwitchError as error:
        record.refused(error)
        raise
    shim.end_as(found.status)


def _begin(settings: SwitchSettings, starter: int) -> tuple[int, Driver | None]:
    """In mode identity: keep others away from the sandbox (:mod:`sandbox_lock`), lease an account, and set its driver to work.

    Raises:
        SwitchError: there is another switch for this starter, no account, or no way to it.
    """
    if settings.mode != "identity":
        return -1, None
    mine = sandbox_lock.in_sandbox_of(starter, settings.run_directory)
    driver = choice.for_account(settings, leases.lease(settings))
    driver.begin()
    return mine, driver


def admit(settings: SwitchSettings, this: job.Job, executable: str, record: Record) -> None:
    """Ask the site's rules, and note what is run. Raises SwitchError: they refuse it."""
    from . import admission, audit

    admission.check(settings, this, executable)
    record.fields["SHA256"] = audit.digest(executable)


def record_of(settings: SwitchSettings, this: job.Job, executable: str) -> Record:
    """What is the same in all records of a job."""
    from . import audit

    record = audit.Record(this, "job", settings.mode, settings.driver if settings.mode == "identity" else "none")
    record.fields["EXECUTABLE"] = executable
    return record


def _payloads(settings: SwitchSettings, this: job.Job, uid: int) -> Server | None:
    if not settings.payload_caller:
        return None
    from .payload.server import Server

    return Server(settings, this, uid)
