# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps one job from its start to its end: hands its sandbox over and back, holds its reins, proves its account clean.

It lives beside the job, not above it: in the daemons' cgroup, so that it is still there when the starter, or the kernel,
has killed all that was in the job's.
"""

from __future__ import annotations

import os
import select

from . import admission, audit, ending, leftovers, processes, programs, tree
from .accounts import Lease
from .errors import CANNOT_EXECUTE, SYSTEM, SwitchError
from .init import Program
from .isolation import View
from .job import Job
from .link import Link
from .settings import Settings

_STARTERS_LAST_MS = 60_000
"""Milliseconds for which a starter may outlive its job; the check of each minute looks after what lasts longer."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .newuidmap import Driver


class Run:
    """One job or payload to be run as an account."""

    __slots__ = ("driver", "job", "program", "record", "settings")

    def __init__(self, settings: Settings, job: Job, driver: Driver, program: Program, record: audit.Record) -> None:
        self.settings = settings
        self.job = job
        self.driver = driver
        self.program = program
        self.record = record

    @property
    def lease(self) -> Lease:
        """The account that the job has."""
        return self.driver.lease


def run(link: Link, work: Run) -> None:
    """Run it to its end. Tells ``started``, then ``ended …`` (:mod:`ending`), or ``error CODE TEXT``.

    ``signal N`` is handed on. When the other end closes, the job is ended.
    """
    os.setsid()
    try:
        work.driver.enter()
        processes.close_descriptors((0, 1, 2, link.fileno(), work.lease.descriptor, work.job.descriptor))
        _run(link, work)
    except SwitchError as error:
        # Nothing of the job has run: the account is as it was.
        work.lease.clear()
        _tell(link, error)
    except OSError as error:
        _tell(link, SwitchError(SYSTEM, f"The switch to {work.lease.account.name} failed: {error}"))


def _tell(link: Link, error: SwitchError) -> None:
    link.send(f"error {error.code} {error}")


def _run(link: Link, work: Run) -> None:
    notes: list[str] = []
    found: ending.Ending | None = None
    started = abandoned = False
    starter = os.pidfd_open(work.job.starter)
    try:
        work.driver.hand_over(work.job.sandbox)
        work.record.check()
        init, reins = work.driver.start(View(work.settings, work.job.sandbox), work.program)
        _stand_aside(work.job)
        try:
            # Whose job this is comes from the startd, while the job runs already.
            work.record.start()
            started = True
            found = _follow(link, reins, starter, work)
            abandoned = found is None
        finally:
            _end(work, init)
    except (OSError, SwitchError) as error:
        notes.append(str(error))
        raise
    finally:
        _take_back(work, notes)
        _call_hooks(work, found, notes)
        if found is not None:
            # The starter may go on; what follows is between the account and the site.
            link.send(ending.message(found))
        _prove_clean(work, notes)
        if started:
            work.record.end(found, notes)
        if abandoned:
            _remove_abandoned(work, starter)


def _stand_aside(job: Job) -> None:
    """Leave the job's files to the job, and its cgroup where the daemons have one of their own."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    try:
        daemons = processes.cgroup(job.starter)
        if daemons != processes.cgroup(os.getpid()):
            with open(f"/sys/fs/cgroup{daemons}/cgroup.procs", "w", encoding="utf-8") as file:
                file.write("0")
    except OSError:
        # It then ends with the job when that is killed, and the check of each minute does what it could not.
        pass


def _follow(link: Link, reins: Link, starter: int, work: Run) -> ending.Ending | None:
    """Hand messages on until the job has ended; None when it was ended from outside, or its starter is gone.

    Nobody else ends the job then: HTCondor knows it by way of the starter alone.

    Raises:
        SwitchError: it could not be started.
    """
    poll = select.poll()
    poll.register(link.fileno(), select.POLLIN)
    poll.register(reins.fileno(), select.POLLIN)
    poll.register(starter, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == starter:
                return None
            if descriptor == link.fileno():
                message = link.receive()
                if message is None:
                    return None
                reins.send(message)
                continue
            message = reins.receive()
            if message is None:
                return None
            word, _, rest = message.partition(" ")
            if word == "started":
                link.send(message)
            elif word == "ended":
                return ending.from_message(message)
            elif word == "failed":
                program = os.fsdecode(work.program.words[0])
                raise SwitchError(CANNOT_EXECUTE, f"{program} cannot be executed: {os.strerror(int(rest))}")
            else:
                raise SwitchError(SYSTEM, f"The job's surroundings cannot be made: {rest}")


def _end(work: Run, init: int) -> None:
    try:
        work.driver.kill(init)
    except ProcessLookupError:
        pass
    try:
        os.waitpid(init, 0)
    except ChildProcessError:
        pass


def _take_back(work: Run, notes: list[str]) -> None:
    """Take the sandbox back, if there still is one; why that fails goes to the notes."""
    try:
        work.driver.hand_back(work.job.sandbox)
    except FileNotFoundError:
        pass
    except OSError as error:
        notes.append(f"{work.job.sandbox} cannot be handed back: {error}")


def _remove_abandoned(work: Run, starter: int) -> None:
    """Remove the job's directory when its starter is gone: it could not, as long as the account had files in it."""
    poll = select.poll()
    poll.register(starter, select.POLLIN)
    if poll.poll(_STARTERS_LAST_MS):
        place = View(work.settings, work.job.sandbox).place
        parent = tree.open_directory(os.path.dirname(place))
        tree.remove(parent, os.path.basename(place))


def _prove_clean(work: Run, notes: list[str]) -> None:
    """Prove the account clean; what stays goes to the notes, and the account stays out of use."""
    account = work.lease.account
    left = leftovers.of_account(account)
    if left:
        notes.append(f"left behind: {', '.join(left)}")
        work.driver.as_account(lambda: leftovers.clear(account))
        left = leftovers.of_account(account)
    try:
        if left:
            work.lease.condemn(", ".join(left))
            notes.append(f"{account.name} is in quarantine")
        else:
            work.lease.clear()
    except OSError as error:
        notes.append(f"the quarantine of {account.name} cannot be changed: {error}")


def _call_hooks(work: Run, found: ending.Ending | None, notes: list[str]) -> None:
    """Call the site's programs for the job's end; their failure goes to the notes."""
    if not work.settings.completion_hook:
        return
    facts = admission.facts(work.job, os.fsdecode(work.program.words[0]))
    facts["SHEEPFOLD_ACCOUNT"] = work.lease.account.name
    facts["SHEEPFOLD_EXIT"] = found.words if found else "killed"
    for hook in work.settings.completion_hook:
        try:
            answer = programs.run(hook, facts, work.settings.completion_hook_timeout)
        except OSError as error:
            notes.append(f"completion_hook {hook}: {error}")
            continue
        if answer.code is None:
            notes.append(f"completion_hook {hook} was stopped after {work.settings.completion_hook_timeout} s")
        elif answer.code:
            notes.append(f"completion_hook {hook} ended with {answer.code}: {answer.output}")
