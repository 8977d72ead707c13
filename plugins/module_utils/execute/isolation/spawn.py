# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The init of a job in namespaces of its own, as the account's uid: the same for every driver."""

from __future__ import annotations

import os

from ..linux import procfs, syscalls
from . import init

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..ipc.messages import Messages
    from .mounts import MountView
    from .program import Program


def start_init(link: Messages, become: Callable[[], None], view: MountView, program: Program) -> int:
    """Start the init of a job; its pid. It is this process's child. Raises OSError.

    ``become`` is called in its parent to be: it takes the account's uid, with every capability in the user namespace. When
    this process ends, the init does.
    """
    syscalls.adopt_orphans()
    told, teller = os.pipe()
    guardian = os.pidfd_open(os.getpid())
    between = os.fork()
    if between == 0:
        _become_init(link, become, lambda: init.run(link, view, program, guardian), (teller, guardian))
    os.close(teller)
    os.close(guardian)
    answer = os.read(told, 64).decode(errors="replace")
    os.close(told)
    os.waitpid(between, 0)
    if not answer.isdigit():
        raise OSError(f"the job's namespaces cannot be made: {answer or 'no answer'}")
    return int(answer)


def _become_init(link: Messages, become: Callable[[], None], run: Callable[[], None], keep: tuple[int, int]) -> None:
    # A PID namespace is its children's: this process makes it, and only its child is in it.
    teller = keep[0]
    try:
        procfs.close_descriptors((0, 1, 2, *link.descriptors, *keep))
        become()
        syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWPID)
        child = os.fork()
        if child == 0:
            _be_init(link, run)
        else:
            os.write(teller, str(child).encode())
    except OSError as error:
        os.write(teller, str(error).encode()[:64])
    finally:
        os._exit(0)


def _be_init(link: Messages, run: Callable[[], None]) -> None:
    try:
        run()
    except OSError as error:
        link.send(f"error {error}")
    finally:
        os._exit(0)
