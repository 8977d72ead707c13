# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site's rules on what may run here."""

from __future__ import annotations

import os

from .errors import REFUSED, SwitchError
from .job import Job
from .linux import bounded_process
from .settings import SwitchSettings

_WILD = frozenset("*?[")


def check(settings: SwitchSettings, job: Job, executable: str) -> None:
    """Let a job through, or raise SwitchError with the rule that refuses it.

    Bans are looked at first, the plug-in last: it decides on what the other rules let through.
    """
    reason = refusal(settings, job, executable) or _ask_plugin(settings, job, executable)
    if reason:
        raise SwitchError(REFUSED, f"Job {job.number} of {job.user or job.owner} may not run here: {reason}")


def refusal(settings: SwitchSettings, job: Job, executable: str) -> str:
    """Which rule refuses a job, in words; empty when none does."""
    if (settings.admission_user or settings.admission_refused_user) and not job.known():
        return "its owner is not known: the startd gave no answer"
    # Asked for only where a rule is about it: the startd's answer takes as long as a job's start.
    if settings.admission_refused_user and matches(settings.admission_refused_user, job.user, job.owner):
        return "its owner is refused (admission_refused_user)"
    if settings.admission_user and not matches(settings.admission_user, job.user, job.owner):
        return "its owner is not among those admitted (admission_user)"
    if settings.admission_executables == "local" and _was_sent(settings, executable):
        return f"its executable {executable} was sent along, not installed here (admission_executables)"
    if settings.admission_pattern and not matches(settings.admission_pattern, os.path.realpath(executable)):
        return f"its executable {os.path.realpath(executable)} matches no admission_pattern"
    return ""


def matches(patterns: list[str], *names: str) -> bool:
    """Whether a pattern (shell's wildcards) fits one of the names. Empty names match nothing."""
    for pattern in patterns:
        if pattern in names and pattern:
            return True
        if _WILD.intersection(pattern):
            # Its import takes as long as the rest of a start.
            from fnmatch import fnmatchcase

            if any(name and fnmatchcase(name, pattern) for name in names):
                return True
    return False


def facts(job: Job, executable: str) -> dict[str, str]:
    """What the site's programs are told of a job, as environment."""
    told = {
        "SHEEPFOLD_JOB": job.number,
        "SHEEPFOLD_GLOBAL_JOB_ID": job.global_id,
        "SHEEPFOLD_OWNER": job.owner,
        "SHEEPFOLD_USER": job.user,
        "SHEEPFOLD_SLOT": job.slot,
        "SHEEPFOLD_EXECUTABLE": executable,
        "SHEEPFOLD_SANDBOX": job.sandbox,
    }
    # A NUL would end the value for the program that reads it.
    return {name: value.replace("\0", "") for name, value in told.items()}


def _was_sent(settings: SwitchSettings, executable: str) -> bool:
    """Whether an executable came with a job, this one or another of this host."""
    return os.path.realpath(executable).startswith(os.path.realpath(settings.execute) + "/")


def _ask_plugin(settings: SwitchSettings, job: Job, executable: str) -> str:
    if not settings.admission_plugin:
        return ""
    try:
        answer = bounded_process.run(settings.admission_plugin, facts(job, executable), settings.admission_plugin_timeout)
    except OSError as error:
        return f"admission_plugin cannot be asked: {error}"
    if answer.code == 0:
        return ""
    if answer.code is None:
        return f"admission_plugin gave no answer within {settings.admission_plugin_timeout} s"
    return f"admission_plugin refuses it: {answer.output or f'exit code {answer.code}'}"
