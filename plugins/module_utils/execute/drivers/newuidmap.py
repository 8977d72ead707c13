# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Driver: the account is mapped into a user namespace by the distribution's newuidmap and newgidmap (shadow).

They allow what /etc/subuid and /etc/subgid say, and nothing else; no code of ours has any privilege on the host.
"""

from __future__ import annotations

import _signal
import os

from ..accounts import residue
from ..errors import SYSTEM, SwitchError
from ..ipc.channel import SeqpacketChannel, pair
from ..isolation import spawn
from ..isolation.mounts import MountView
from ..linux import syscalls
from ..sandbox import handover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..accounts.leases import Lease
    from ..isolation.program import Program
    from ..settings import SwitchSettings

name = "newuidmap"


class Driver:
    """What one keeper does with one account (:mod:`base`)."""

    elsewhere = False

    def __init__(self, settings: SwitchSettings, lease: Lease) -> None:
        self.lease = lease
        self._tools = (settings.newuidmap, settings.newgidmap)
        self._account = handover.Owner(lease.account.uid, lease.account.uid)
        self._daemons = handover.Owner(os.getuid(), os.getgid())
        self._holder = 0
        self._release = -1
        self._namespace = -1
        self._helpers: list[int] = []
        self._problem = ""

    def begin(self) -> None:
        """Have a user namespace of the daemons' and the account's ids made, while this process does other things.

        Raises OSError.
        """
        told, teller = os.pipe()
        waiting, release = os.pipe()
        self._holder = os.fork()
        if self._holder == 0:
            _hold_namespace(teller, waiting, release)
        os.close(teller)
        os.close(waiting)
        self._release = release
        self._problem = os.read(told, 200).decode()
        os.close(told)
        ids = ((self._daemons.uid, self._account.uid), (self._daemons.gid, self._account.gid))
        self._helpers = [] if self._problem else [_map(tool, self._holder, each) for tool, each in zip(self._tools, ids)]

    def ready(self) -> None:
        """Wait until the namespace is made. Raises SwitchError."""
        for tool, helper in zip(self._tools, self._helpers):
            _, status = os.waitpid(helper, 0)
            if status and not self._problem:
                self._problem = f"{tool} refuses to map {self._account.uid}: expected its range in /etc/subuid and /etc/subgid"
        if self._problem:
            raise SwitchError(SYSTEM, f"The switch by newuidmap does not work here: {self._problem}")
        self._namespace = os.open(f"/proc/{self._holder}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        # It ends by itself then; nobody waits for it.
        os.close(self._release)

    def enter(self) -> None:
        """Bring this process into the namespace. Raises OSError."""
        syscalls.set_namespace(self._namespace, syscalls.CLONE_NEWUSER)
        os.close(self._namespace)

    def hand_over(self, directory: str) -> None:
        """Give a sandbox to the account. Raises OSError."""
        handover.hand_over(directory, self._account, self._daemons)

    def hand_back(self, directory: str) -> list[str]:
        """Take a sandbox back; the links out of it that were removed. Raises OSError."""
        return handover.hand_back(directory, self._account, self._daemons)

    def renew_tokens(self, directory: str) -> None:
        """Let the account have the tokens that have come into a sandbox. Raises OSError."""
        handover.renew_tokens(directory, self._account)

    def start(self, view: MountView, program: Program) -> tuple[int, SeqpacketChannel]:
        """Start the init of a job; its pid and the link to it. Raises OSError."""
        ours, theirs = pair()
        try:
            return spawn.start_init(theirs, self._become, view, program), ours
        finally:
            theirs.close()

    def settle(self) -> None:
        """Nothing but the job has run as the account."""

    def clear(self) -> None:
        """Remove what the account has left, as the account, with no capability. What stays is seen later."""
        pid = os.fork()
        if pid == 0:
            try:
                syscalls.become(self._account.uid, self._account.gid)
                syscalls.empty_capabilities()
                residue.clear(self.lease.account)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)

    def kill(self, pid: int) -> None:
        """End an init, and with it all that it has in its PID namespace."""
        os.kill(pid, _signal.SIGKILL)

    def _become(self) -> None:
        syscalls.become(self._account.uid, self._account.gid)
        syscalls.set_dumpable(True)


def _hold_namespace(teller: int, waiting: int, release: int) -> None:
    """Be the process in whose new namespace the tools map the ids, until nobody needs it any more."""
    try:
        os.close(release)
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        os.close(teller)
        os.read(waiting, 1)
    except OSError as error:
        os.write(teller, f"no user namespace: {error}".encode()[:200])
    finally:
        os._exit(0)


def _map(tool: str, process: int, ids: tuple[int, int]) -> int:
    """Start a tool that maps two ids to themselves in a process's namespace; its pid."""
    words = [tool, str(process)]
    for each in sorted(ids):
        words += [str(each), str(each), "1"]
    return os.posix_spawn(tool, words, {})
