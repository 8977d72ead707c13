# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One job, in the mode that the settings say."""

from __future__ import annotations

import os

from . import accounts, alone, cores, job, monitor, processes
from .errors import SwitchError
from .settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .payload import Server


def run(settings: Settings, words: list[bytes], environment: dict[bytes, bytes]) -> None:
    """Run the job of the starter that is this process's parent, and end as it ends. Does not return.

    Raises:
        SwitchError: it is not run.
    """
    cores.leave_none()
    signals = monitor.Signals()
    starter = os.getppid()
    mine = alone.in_sandbox_of(starter, settings.run_directory) if settings.mode == "identity" else -1
    lease = accounts.lease(settings) if settings.mode == "identity" else None
    driver = monitor.driver(settings, lease) if lease else None
    if driver:
        driver.begin()
    # Imported while the driver's helpers work.
    from . import admission, audit, init, keeper, log_only

    this = job.of_starter(starter, settings)
    record = audit.Record(this, "job", settings.mode, settings.driver if lease else "none")
    program = init.Program(words, environment, os.getcwd(), processes.ignored_signals(starter))
    executable = os.fsdecode(words[0])
    record.fields["EXECUTABLE"] = executable
    try:
        admission.check(settings, this, executable)
        record.fields["SHA256"] = audit.digest(executable)
        if lease and driver:
            record.account(lease.account)
            server = _payloads(settings, this, lease.account.uid)
            work = keeper.Run(settings, this, driver, program, record)
            work.alone = mine
            found = monitor.run(work, signals, server)
        else:
            found = log_only.run(record, program, signals)
    except SwitchError as error:
        record.refused(error)
        raise
    monitor.end_as(found.status)


def _payloads(settings: Settings, this: job.Job, uid: int) -> Server | None:
    if not settings.payload_caller:
        return None
    from . import payload

    return payload.Server(settings, this, uid)
