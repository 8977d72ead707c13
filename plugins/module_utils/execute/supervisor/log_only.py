# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mode ``log-only``: the job runs as the daemons' user, as without the switch; what it was is on record."""

from __future__ import annotations

import _signal
import os
import select
import time

from ..audit import Record
from ..errors import CANNOT_EXECUTE, SwitchError
from ..ipc import job_exit
from ..ipc.signals import Signals
from ..isolation.program import Program
from ..linux import syscalls


def run(record: Record, program: Program, signals: Signals) -> job_exit.Ending:
    """Run a job to its end; how it ended.

    Raises:
        SwitchError: it cannot be executed, or not be recorded.
    """
    record.check()
    told, teller = os.pipe()
    job = os.fork()
    if job == 0:
        syscalls.die_with_parent(_signal.SIGKILL)
        program.execute(teller)
    os.close(teller)
    number = os.read(told, 16)
    if number:
        os.waitpid(job, 0)
        error = SwitchError(CANNOT_EXECUTE, f"{os.fsdecode(program.words[0])} cannot be executed: {os.strerror(int(number))}")
        record.end(None, [str(error)])
        raise error
    record.fields["STARTED"] = f"{time.time():.3f}"
    ended = os.pidfd_open(job)
    record.start()
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(signals.fileno(), select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == signals.fileno():
                for number_ in signals.read():
                    os.kill(job, number_)
                continue
            _, status = os.waitpid(job, 0)
            found = job_exit.of_children(status)
            record.end(found, [])
            return found
