# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The switch's command line: ``job FILE EXECUTABLE ARGUMENT…``, ``payload …``, ``check`` and ``service``.

And ``stand-by PATH`` (:mod:`prestart`), ``follow PROGRAM …`` (role execute_node's ``job-follow``), ``end STATUS`` and
``report CODE TEXT``: to end as a job did, or did not begin.
"""

from __future__ import annotations

import _signal
import os
import sys
import time

from . import settings
from .errors import CLIENT, SYSTEM, SwitchError
from .linux import procfs, signal_dispositions

_STARTERS_END = 60
"""Seconds for a starter to end, and this process with it."""


def main() -> None:
    """Do what the first word says; the exit code is the job's own, or a class of :mod:`errors`. Does not return."""
    words = sys.argv[1:]
    # The startd starts a starter with signals blocked; a shell ignores two for what it starts in the background.
    signal_dispositions.restore()
    starter = os.getppid() if words[:1] == ["job"] else 0
    try:
        if words[:1] == ["job"] and len(words) > 2:
            job(words[1], [os.fsencode(word) for word in words[2:]])
        elif words[:1] == ["payload"]:
            from .payload import client

            os._exit(client.main(words[1:]))
        elif words == ["check"]:
            from . import account_check

            code = account_check.main()
            # The exit below asks nobody.
            sys.stdout.flush()
            os._exit(code)
        elif words[:1] == ["stand-by"] and len(words) == 2:
            from . import prestart

            prestart.main(words[1])
            os._exit(0)
        elif words[:1] == ["follow"] and len(words) > 1:
            starter = os.getppid()
            _execute([os.fsencode(word) for word in words[1:]], {}, [])
        elif words[:1] == ["end"] and len(words) == 2:
            from .supervisor import shim

            shim.end_as(int(words[1]))
        elif words[:1] == ["report"] and len(words) == 3:
            starter = os.getppid()
            raise SwitchError(int(words[1]), words[2])
        elif words == ["service"]:
            from .drivers import userv_service

            os._exit(userv_service.main())
        else:
            raise SwitchError(CLIENT, f"The words are {words}: expected job FILE EXECUTABLE, payload, check or service")
    except SwitchError as error:
        _report(error, starter)
    except Exception as error:
        # Python would end with 1, which the starter takes for the job's own exit code.
        _report(SwitchError(SYSTEM, f"The switch failed: {error!r}"), starter)


def job(aside: str, words: list[bytes]) -> None:
    """Run the starter's job. Does not return, or raises SwitchError."""
    environment = _take(aside)
    known = settings.read()
    if known.mode == "off":
        _execute(words, environment, procfs.ignored_signals(os.getppid()))
    procfs.close_descriptors((0, 1, 2))
    from . import run_job

    run_job.run(known, words, environment)


def _take(aside: str) -> dict[bytes, bytes]:
    """The environment that the first stage has put aside; its file is gone then."""
    try:
        environment = procfs.read_environment(aside)
        os.unlink(aside)
    except OSError as error:
        raise SwitchError(SYSTEM, f"The job's environment cannot be read: {error}") from None
    return environment


def _execute(words: list[bytes], environment: dict[bytes, bytes], ignored: list[int]) -> None:
    try:
        signal_dispositions.execute(words, environment, ignored)
    except OSError as error:
        raise SwitchError(SYSTEM, f"{os.fsdecode(words[0])} cannot be executed: {error}") from None


def _report(error: SwitchError, starter: int) -> None:
    """Say why there is no job, where HTCondor looks for it, and end with the error's class. ``starter``: 0 for none."""
    # Where that is gone there is nobody to tell, and its number another's.
    if not error.quiet and os.getppid() == starter:
        _tell_starter(error, starter)
    try:
        os.write(2, f"sheepfold-switch: {error}\n".encode())
    except OSError:
        # The job's standard error, on a full disk.
        pass
    os._exit(error.code)


def _tell_starter(error: SwitchError, starter: int) -> None:
    from .sandbox.layout import FAILURE

    try:
        # By the starter's own directory, not by the environment: the job wrote that.
        place = f"/proc/{starter}/cwd/{FAILURE}"
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError:
        # Without that file it would take the exit code for the job's own. It is told to give the job back at once instead.
        _end_starter(starter)
        return
    try:
        os.write(handle, f"{error}\n".encode())
    except OSError:
        # No room for the words: the file alone says that there is no job.
        pass


def _end_starter(starter: int) -> None:
    try:
        if os.path.basename(procfs.words(starter)[0]) == "condor_starter":
            os.kill(starter, _signal.SIGQUIT)
            time.sleep(_STARTERS_END)
    except (OSError, IndexError):
        # It is gone.
        pass
