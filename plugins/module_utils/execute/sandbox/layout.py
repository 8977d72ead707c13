# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the files of a job lie in its sandbox."""

from __future__ import annotations

import os

PRIVATE = ".sheepfold-switch"
"""Directory in the sandbox, the daemons' alone, for what the job sees in other places."""
JOB = "job"
"""In it: the job's sandbox."""
TEMPORARY = {"/tmp": "tmp", "/var/tmp": "var_tmp"}
"""In it: what the job sees there."""
FAILURE = ".job_wrapper_failure"
"""File in the sandbox by which a USER_JOB_WRAPPER tells the starter why there is no job: the switch's to write, not the job's."""
COPIED = (".job.ad", ".machine.ad", ".update.ad")
"""The daemons' own files that the job may read: it gets copies."""
DAEMONS = (*COPIED, ".update.ad.tmp", FAILURE)
"""Names that are the daemons' own: what a job leaves by them goes nowhere."""
SHOWN = ("_condor_stdout", "_condor_stderr")
"""Files of the job that the daemons look into while it runs (condor_tail): they keep a name of their own."""
USER = "../user"
"""Where later versions of HTCondor (seen: 25.14) have what the job needs for condor_chirp: one file."""
CHIRP = f"{USER}/.chirp.config"


def holder(sandbox: str) -> int | None:
    """The uid that has the job's files of a sandbox; None when nobody has taken them over."""
    try:
        return os.stat(f"{sandbox}/{PRIVATE}/{JOB}", follow_symlinks=False).st_uid
    except OSError:
        return None
