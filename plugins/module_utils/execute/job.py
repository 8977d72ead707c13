# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which job this is, from where no job can write.

``.job.ad`` and ``.machine.ad`` in the sandbox are no such place: a submitter who sends files of these names along
replaces the starter's own (seen with HTCondor 23.9.6 and 25.14). The startd knows whose its claims are.
"""

from __future__ import annotations

import os
import select
import time

from .errors import SYSTEM, SwitchError
from .linux import procfs
from .settings import SwitchSettings

PATIENCE = 10.0
"""Seconds to wait for the startd's answer."""
_ASKED = ("Name", "RemoteUser", "JobId", "GlobalJobId")
_MARK = "|"
# The second is what the role's snippet asks for: without it this host's configuration is that of daemons with root.
_OF_THE_DAEMONS = (b"CONDOR_CONFIG", b"SHEEPFOLD_EXECUTE_NODE")
_UNKNOWN = {"RemoteUser": "unknown", "JobId": "unknown", "GlobalJobId": "unknown"}


class Job:
    """A job: its slot, its sandbox, and whose it is."""

    __slots__ = ("_claim", "owner_of_payload", "sandbox", "slot", "starter")

    def __init__(self, starter: int, slot: str, sandbox: str, claim: Claim, owner_of_payload: str = "") -> None:
        self.starter = starter
        self.slot = slot
        self.sandbox = sandbox
        self._claim = claim
        self.owner_of_payload = owner_of_payload

    def payload(self, owner: str, sandbox: str) -> Job:
        """The same claim's payload: another's job, in a directory of its own."""
        return Job(self.starter, self.slot, sandbox, self._claim, owner)

    def ask(self) -> int | None:
        """Have the startd asked; the descriptor to wait for, or None when the answer is there."""
        return self._claim.ask()

    @property
    def asked(self) -> int:
        """The descriptor on which the startd's answer comes, -1 when it is not being asked."""
        return self._claim.asked

    @property
    def user(self) -> str:
        """Whom the access point says that it belongs to, with its domain; of a payload, whom the pilot says."""
        return self.owner_of_payload or self._claim.answer()["RemoteUser"]

    @property
    def owner(self) -> str:
        """The same without the domain."""
        return self.user.partition("@")[0]

    @property
    def number(self) -> str:
        """``cluster.process`` at its access point."""
        return self._claim.answer()["JobId"]

    @property
    def global_id(self) -> str:
        """HTCondor's GlobalJobId."""
        return self._claim.answer()["GlobalJobId"]

    def known(self) -> bool:
        """Whether the startd has said whose job this is."""
        return self._claim.answer() is not _UNKNOWN


class Claim:
    """What the startd says of a slot's claim. It is asked when that is needed: the answer takes as long as a job's start."""

    __slots__ = ("_answer", "_environment", "_reader", "_sandbox", "_settings", "_slot")

    def __init__(self, settings: SwitchSettings, environment: dict[bytes, bytes], slot: str, sandbox: str) -> None:
        self._settings = settings
        self._environment = environment
        self._slot = slot
        self._sandbox = sandbox
        self._answer: dict[str, str] | None = None
        self._reader = -1

    def ask(self) -> int | None:
        """Ask, without waiting; the descriptor on which the answer comes, or None when it is there."""
        if self._answer is None and self._reader < 0:
            self._answer = self._from_file()
        if self._answer is None and self._reader < 0:
            self._start()
        return self._reader if self._answer is None else None

    @property
    def asked(self) -> int:
        """The descriptor on which the answer comes, -1 when none is waited for."""
        return self._reader

    def answer(self) -> dict[str, str]:
        """RemoteUser, JobId and GlobalJobId; each ``unknown`` when the startd does not say."""
        self.ask()
        if self._answer is None:
            self._answer = claim_of(self._slot, _read(self._reader, time.monotonic() + PATIENCE))
            os.close(self._reader)
            self._reader = -1
        return self._answer

    def _from_file(self) -> dict[str, str] | None:
        """The answer that later versions (seen: 25.14) keep beside the sandbox, where no transfer goes."""
        place, name = os.path.split(self._sandbox)
        if name != "scratch":
            return None
        try:
            with open(f"{place}/htcondor/.update.ad", encoding="utf-8", errors="replace") as file:
                return claim_of(self._slot, listing_of(file.read()))
        except OSError:
            return None

    def _start(self) -> None:
        self._reader, writer = os.pipe()
        try:
            with open(self._settings.startd_address, encoding="utf-8") as file:
                address = file.readline().strip()
            tool = self._settings.condor_status
            words = [tool, "-pool", address, "-constraint", "RemoteUser isnt undefined", *_format()]
            # Standard error may be the job's, which has nothing to do with this.
            quiet = (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)
            actions = [(os.POSIX_SPAWN_DUP2, writer, 1), quiet]
            os.posix_spawn(tool, words, self._environment, file_actions=actions)
        except OSError:
            # Nobody will answer.
            self._answer = _UNKNOWN
        os.close(writer)


def of_starter(starter: int, settings: SwitchSettings, claim: Claim | None = None) -> Job:
    """The job of a running starter: slot and sandbox are the starter's own. ``claim``: where the startd has been asked before.

    Raises:
        SwitchError: the process is no starter, or its sandbox is none of this host's.
    """
    try:
        words = procfs.words(starter)
        sandbox = os.readlink(f"/proc/{starter}/cwd")
        # Now: in a user namespace of its own the keeper may not read it (ptrace(2), access mode checking).
        environment = _environment(starter)
    except OSError as error:
        raise SwitchError(SYSTEM, f"The starter, process {starter}, cannot be looked at: {error}") from None
    if not words or os.path.basename(words[0]) != "condor_starter":
        raise SwitchError(SYSTEM, f"Process {starter} ({' '.join(words)[:100]}) called the switch: expected condor_starter")
    if not sandbox.startswith(os.path.realpath(settings.execute) + "/"):
        raise SwitchError(SYSTEM, f"The job's directory is {sandbox}: expected a directory of {settings.execute}")
    slot = _slot(words)
    return Job(starter, slot, sandbox, claim or Claim(settings, environment, slot, sandbox))


def claim_of_starter(starter: int, settings: SwitchSettings) -> Claim | None:
    """The claim of a starter's job, to ask the startd about before that begins; None as long as there is no sandbox.

    Raises OSError: the starter is gone.
    """
    sandbox = os.readlink(f"/proc/{starter}/cwd")
    if not sandbox.startswith(os.path.realpath(settings.execute) + "/"):
        return None
    return Claim(settings, _environment(starter), _slot(procfs.words(starter)), sandbox)


def claim_of(slot: str, listing: str) -> dict[str, str]:
    """The claim of one slot in the startd's listing: a line for each slot, values between marks."""
    for line in listing.split("\n"):
        values = line.split(_MARK)
        if len(values) == len(_ASKED) and values[0].partition("@")[0] == slot and values[1]:
            return dict(zip(_ASKED[1:], values[1:]))
    return _UNKNOWN


def listing_of(ad: str) -> str:
    """A slot's ad in the old syntax (``Name = value`` lines) as a line of the startd's listing."""
    pairs = (line.partition(" = ") for line in ad.split("\n"))
    values = {name: value.strip('"') for name, _, value in pairs if name in _ASKED}
    return _MARK.join(values.get(name, "") for name in _ASKED)


def _slot(words: list[str]) -> str:
    """The slot of a starter, by its command line."""
    return words[words.index("-a") + 1] if "-a" in words[:-1] else "slot?"


def _format() -> list[str]:
    # A missing value prints nothing, and the marks stay.
    words = []
    for name in _ASKED:
        words += ["-format", "%v" + _MARK if name != _ASKED[-1] else "%v\n", f'{name} ?: ""']
    return words


def _environment(starter: int) -> dict[bytes, bytes]:
    """Of the starter's environment what says which HTCondor this is. Raises OSError."""
    all_of_it = procfs.environment(starter).items()
    of_daemons = {name: value for name, value in all_of_it if name in _OF_THE_DAEMONS or name.startswith(b"_CONDOR_")}
    return {b"PATH": b"/usr/bin:/bin", **of_daemons}


def _read(reader: int, end: float) -> str:
    """All that comes until the other end is closed, or the time is over."""
    data = b""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while True:
        left = end - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return ""
        chunk = os.read(reader, 65536)
        if not chunk:
            return data.decode(errors="replace")
        data += chunk
