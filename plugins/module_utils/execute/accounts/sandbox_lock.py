# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One switch at a time in one sandbox.

A starter calls its wrapper once more while the job runs for condor_ssh_to_job, with sshd as the executable: another
account would get files that the job is still at work in.
"""

from __future__ import annotations

import fcntl
import os

from ..errors import REFUSED, SYSTEM, SwitchError
from ..linux import procfs


def in_sandbox_of(starter: int, directory: str) -> int:
    """A descriptor that keeps every other switch of this starter away, as long as it is open in any process.

    Raises:
        SwitchError: there is another one.
    """
    try:
        path = f"{directory}/{starter}.{procfs.started(starter)}.starter"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = (
            "The job of this starter is running: nothing else is run beside it (condor_ssh_to_job does not work with the switch)"
        )
        raise SwitchError(REFUSED, text, quiet=True) from None
    except OSError as error:
        raise SwitchError(SYSTEM, f"The starter, process {starter}, cannot be locked: {error}") from None
    return descriptor
