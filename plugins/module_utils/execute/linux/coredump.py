# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The switch leaves no core where a job's owner finds it: it has read what the daemons know.

Its submit description says how large a job's core may be (``coresize``) and which signal ends it (``kill_sig``), and the
starter gives both to the monitor. The kernel's limit is about files (core(5)): a program that the kernel gives cores to
keeps them by their uid, which is the daemons'.
"""

from __future__ import annotations

import resource

_given: list[tuple[int, int]] = []


def leave_none() -> None:
    """Have this process, and those that it forks, leave no core; what the limit was is the job's."""
    _given[:] = [resource.getrlimit(resource.RLIMIT_CORE)]
    resource.setrlimit(resource.RLIMIT_CORE, (0, _given[0][1]))


def limit() -> tuple[int, int]:
    """The job's limit: soft and hard (getrlimit(2))."""
    return _given[0] if _given else resource.getrlimit(resource.RLIMIT_CORE)


def restore() -> None:
    """Give this process the job's limit: it is about to become the job."""
    resource.setrlimit(resource.RLIMIT_CORE, limit())
