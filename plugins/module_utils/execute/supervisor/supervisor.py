# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps one job from its start to its end: hands its sandbox over and back, supervises it, and checks that its account is clean.

It lives beside the job, not above it: in the daemons' cgroup, so that it is still there when the starter, or the kernel,
has killed all that was in the job's.
"""

from __future__ import annotations

import errno
import os
import select
import time

from .. import admission, audit
from ..accounts import residue
from ..accounts.leases import Lease
from ..errors import CANNOT_EXECUTE, SYSTEM, SwitchError
from ..ipc import job_exit
from ..isolation.mounts import MountView
from ..isolation.program import Program
from ..job import Job
from ..linux import bounded_process, dirtree, procfs
from ..sandbox import job_tokens
from ..settings import SwitchSettings
from . import freezer

_STARTERS_LAST_MS = 60_000
"""Milliseconds for which a starter may outlive its job; the check of each minute looks after what lasts longer."""
_REMOVALS = 20

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..drivers.base import Driver
    from ..ipc.messages import Messages


class Run:
    """One job or payload to be run as an account."""

    __slots__ = ("alone", "driver", "job", "program", "record", "settings")

    def __init__(self, settings: SwitchSettings, job: Job, driver: Driver, program: Program, record: audit.Record) -> None:
        self.settings = settings
        self.job = job
        self.driver = driver
        self.program = program
        self.record = record
        # A descriptor that keeps others away from the sandbox (:mod:`sandbox_lock`).
        self.alone = -1

    @property
    def lease(self) -> Lease:
        """The account that the job has."""
        return self.driver.lease


def run(link: Messages, work: Run) -> None:
    """Run it to its end. Tells ``started``, then ``ended …`` (:mod:`job_exit`), or ``error CODE TEXT``.

    ``signal N`` is handed on. When the other end closes, the job is ended.
    """
    try:
        work.driver.enter()
        procfs.close_descriptors((0, 1, 2, *link.descriptors, work.lease.descriptor, work.alone, work.job.asked))
        _run(link, work)
    except SwitchError as error:
        _tell(link, error)
    except OSError as error:
        _tell(link, SwitchError(SYSTEM, f"The switch to {work.lease.account.name} failed: {error}"))


def _tell(link: Messages, error: SwitchError) -> None:
    link.send(f"error {error.code} {error}")


def _run(link: Messages, work: Run) -> None:
    notes: list[str] = []
    starter = os.pidfd_open(work.job.starter)
    work.lease.held_for(work.job.starter)
    work.record.check()
    try:
        work.driver.hand_over(work.job.sandbox)
        frozen = freezer.watch() if work.driver.elsewhere else None
        if work.driver.elsewhere:
            _leave_the_jobs_cgroup(work.job)
        init, init_channel = work.driver.start(MountView(work.settings, work.job.sandbox), work.program)
        work.record.fields["STARTED"] = f"{time.time():.3f}"
        procfs.let_go_of_files()
        if not work.driver.elsewhere:
            _leave_the_jobs_cgroup(work.job)
        try:
            found = _follow(link, init_channel, frozen, (starter, os.pidfd_open(init)), work)
        finally:
            _end(work, init)
    except (OSError, SwitchError):
        # Nothing of the job has run, but the sandbox has changed hands.
        _prove_clean(work, notes, _take_back(work, notes))
        raise
    taken = _take_back(work, notes)
    _call_hooks(work, found, notes)
    if work.alone >= 0:
        os.close(work.alone)
    if found is not None:
        _clear_what_stays(work, notes)
        # While the starter waits: soon after its end the startd does not know the job any more.
        work.record.start()
        # The starter may go on; what follows is between the account and the site.
        link.send(job_exit.message(found))
    _prove_clean(work, notes, taken)
    work.record.start()
    work.record.end(found, notes)
    if found is None:
        # init died without a status: the job has not ended; HTCondor runs it again where there still is a starter.
        link.send(f"error {SYSTEM} The first process of the job's is gone, and the job with it")
        os.close(work.lease.descriptor)
        _remove_abandoned(work, starter)
    elif work.job.owner_of_payload:
        # What made this directory may have been killed meanwhile.
        _remove_place(work)


def _leave_the_jobs_cgroup(job: Job) -> None:
    """Go where the daemons are, when they have a cgroup of their own."""
    try:
        daemons = procfs.cgroup(job.starter)
        if daemons != procfs.cgroup(os.getpid()):
            with open(f"/sys/fs/cgroup{daemons}/cgroup.procs", "w", encoding="utf-8") as file:
                file.write("0")
    except OSError:
        # It then ends with the job when that is killed, and the check of each minute does what it could not.
        pass


def _follow(
    link: Messages, init_channel: Messages, frozen: freezer.Watch | None, others: tuple[int, int], work: Run
) -> job_exit.Ending | None:
    """Hand messages on until the job has ended; None when the starter, the monitor or the init is gone.

    ``others``: what stands for the starter and for what the driver has started (pidfd_open(2)).

    Raises:
        SwitchError: it could not be started.
    """
    starter, started = others
    poll = select.poll()
    sources: dict[int, freezer.Watch | Messages] = {link.fileno(): link}
    poll.register(link.fileno(), select.POLLIN)
    poll.register(init_channel.fileno(), select.POLLIN)
    # Nobody else ends the job of a starter that was killed.
    poll.register(starter, select.POLLIN)
    # Others than the init may have its end of init's channel open, and be ended by others than this process.
    poll.register(started, select.POLLIN)
    if frozen:
        sources[frozen.fileno()] = frozen
        poll.register(frozen.fileno(), select.POLLPRI)
    beside = _beside(poll, work)
    gone = False
    while True:
        found = poll.poll(0 if gone else None)
        if not found:
            return None
        for descriptor, _ in found:
            if descriptor == started:
                # It may have had its say before: that is read first.
                poll.unregister(descriptor)
                gone = True
            elif descriptor in beside:
                beside[descriptor]()
            elif descriptor == init_channel.fileno():
                message = init_channel.receive()
                if message is None:
                    return None
                word, _, rest = message.partition(" ")
                if word != "started":
                    return _ending(word, rest, work)
                link.send(message)
            elif descriptor == starter or not _relay(sources[descriptor], init_channel):
                return None


def _relay(source: freezer.Watch | Messages, init_channel: Messages) -> bool:
    """Hand a message on to the init; False when nobody is there any more who could send one."""
    message = source.receive()
    if message is not None:
        init_channel.send(message)
    return message is not None


def _beside(poll: select.poll, work: Run) -> dict[int, Callable[[], None]]:
    """What happens beside the job: what to do when one of these descriptors has something to read."""
    found: dict[int, Callable[[], None]] = {}
    tokens = job_tokens.watch(work.job.sandbox)
    if tokens >= 0:
        poll.register(tokens, select.POLLIN)
        found[tokens] = lambda: _renew(tokens, work)
    asked = _ask(poll, work)
    if asked >= 0:
        found[asked] = lambda: _answered(poll, asked, work)
    return found


def _answered(poll: select.poll, asked: int, work: Run) -> None:
    """The startd has said whose job this is."""
    poll.unregister(asked)
    work.record.start()


def _renew(tokens: int, work: Run) -> None:
    """Hand on the tokens that the starter has renewed."""
    try:
        os.read(tokens, 1 << 16)
        work.driver.renew_tokens(work.job.sandbox)
    except OSError as error:
        # The job goes on with what it has, and the record of its end says so.
        work.record.fields["TOKENS"] = f"not renewed: {error}"


def _ending(word: str, rest: str, work: Run) -> job_exit.Ending:
    """How the job ended, by the last message of its init. Raises SwitchError when it did not begin."""
    if word == "ended":
        return job_exit.from_message(f"{word} {rest}")
    if word == "failed":
        program = os.fsdecode(work.program.words[0])
        raise SwitchError(CANNOT_EXECUTE, f"{program} cannot be executed: {os.strerror(int(rest))}")
    raise SwitchError(SYSTEM, f"The job's surroundings cannot be made: {rest}")


def _ask(poll: select.poll, work: Run) -> int:
    """Ask the startd whose job this is, beside the job; the descriptor on which the answer comes, -1 when it is known."""
    asked = work.job.ask()
    if asked is None:
        work.record.start()
        return -1
    poll.register(asked, select.POLLIN)
    return asked


def _end(work: Run, init: int) -> None:
    try:
        work.driver.kill(init)
    except ProcessLookupError:
        pass
    try:
        os.waitpid(init, 0)
    except ChildProcessError:
        pass


def _take_back(work: Run, notes: list[str]) -> bool:
    """Take the sandbox back, if there still is one; False when that fails, which goes to the notes."""
    try:
        removed = work.driver.hand_back(work.job.sandbox)
        if removed:
            notes.append(f"{len(removed)} links out of the sandbox removed, the first {removed[0]!r}")
    except FileNotFoundError:
        pass
    except OSError as error:
        notes.append(f"{work.job.sandbox} cannot be handed back: {error}")
        return False
    return True


def _remove_abandoned(work: Run, starter: int) -> None:
    """Remove the job's directory when its starter is gone: it could not, as long as the account had files in it."""
    poll = select.poll()
    poll.register(starter, select.POLLIN)
    if poll.poll(_STARTERS_LAST_MS):
        _remove_place(work)


def _remove_place(work: Run) -> None:
    """Remove the job's directory, with others who may be at it at the same time. Raises OSError."""
    place = MountView(work.settings, work.job.sandbox).place
    parent = dirtree.open_directory(os.path.dirname(place))
    for _ in range(_REMOVALS):
        try:
            dirtree.remove(parent, os.path.basename(place))
            return
        except OSError as error:
            # An entry went, or came, under the walk: once more from the top.
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
                raise


def _clear_what_stays(work: Run, notes: list[str]) -> None:
    """Remove what the account has left in places that all share, while the starter waits: with it this process may be ended."""
    left = residue.kept(work.lease.account)
    try:
        if left:
            _clear(work, left, notes)
    except OSError:
        # What stays is seen when the account is proved clean.
        pass


def _clear(work: Run, left: list[str], notes: list[str]) -> None:
    """Have removed what is left of the account, and tell of it once. Raises OSError."""
    note = f"left behind: {', '.join(left)}"
    if note not in notes:
        notes.append(note)
    work.driver.clear()


def _prove_clean(work: Run, notes: list[str], sandbox_taken: bool) -> None:
    """Prove the account clean; what stays goes to the notes, and the account stays out of use."""
    account = work.lease.account
    work.driver.settle()
    left = residue.of_account(account)
    if left:
        _clear(work, left, notes)
        left = residue.of_account(account)
    if not sandbox_taken:
        left.append(f"files in {work.job.sandbox}")
    try:
        if left:
            work.lease.condemn(", ".join(left))
            notes.append(f"{account.name} is in quarantine")
        else:
            work.lease.clear()
    except OSError as error:
        notes.append(f"the quarantine of {account.name} cannot be changed: {error}")


def _call_hooks(work: Run, found: job_exit.Ending | None, notes: list[str]) -> None:
    """Call the site's programs for the job's end; their failure goes to the notes."""
    if not work.settings.completion_hook:
        return
    facts = admission.facts(work.job, os.fsdecode(work.program.words[0]))
    facts["SHEEPFOLD_ACCOUNT"] = work.lease.account.name
    facts["SHEEPFOLD_EXIT"] = found.words if found else "killed"
    for hook in work.settings.completion_hook:
        try:
            answer = bounded_process.run(hook, facts, work.settings.completion_hook_timeout)
        except OSError as error:
            notes.append(f"completion_hook {hook}: {error}")
            continue
        if answer.code is None:
            notes.append(f"completion_hook {hook} was stopped after {work.settings.completion_hook_timeout} s")
        elif answer.code:
            notes.append(f"completion_hook {hook} ended with {answer.code}: {answer.output}")
