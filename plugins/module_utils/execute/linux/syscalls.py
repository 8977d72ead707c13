# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""System calls that Python has no function for, in all the versions that hosts have."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4

_CAPABILITY_VERSION_3 = 0x20080522
_KEYCTL_JOIN_SESSION_KEYRING = 1
_IN_CLOSE_WRITE, _IN_MOVED_TO = 0x08, 0x80
# The same number on every architecture that has it.
_SYS_PIDFD_GETFD = 438
_SYS_KEYCTL = {"x86_64": 250, "aarch64": 219, "ppc64le": 271}
_IPC_RMID = 0

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> int:
    answer: int = getattr(_libc, name)(*arguments)
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return answer


def unshare(flags: int) -> None:
    """Leave namespaces of this process for new ones (unshare(2)). Raises OSError."""
    _call("unshare", flags)


def set_namespace(descriptor: int, kind: int) -> None:
    """Enter the namespace that a descriptor stands for (setns(2)). Raises OSError."""
    _call("setns", descriptor, kind)


def descriptor_of(process: int, number: int) -> int:
    """A copy of another process's descriptor, which ``process`` stands for (pidfd_open(2), pidfd_getfd(2)). Raises OSError."""
    return _call("syscall", ctypes.c_long(_SYS_PIDFD_GETFD), process, number, 0)


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount (mount(2)). Raises OSError."""
    arguments = (source or None, target, kind or None, ctypes.c_ulong(flags), data or None)
    _call("mount", *(item.encode() if isinstance(item, str) else item for item in arguments))


def die_with_parent(signal: int) -> None:
    """Have this process get a signal when its parent ends (prctl(2))."""
    _call("prctl", _PR_SET_PDEATHSIG, signal, 0, 0, 0)


def adopt_orphans() -> None:
    """Have children of ended children become this process's (prctl(2))."""
    _call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def set_dumpable(value: bool) -> None:
    """Say whether others of the same uid may look into this process (prctl(2)): a change of uid takes it away."""
    _call("prctl", _PR_SET_DUMPABLE, int(value), 0, 0, 0)


def give_up_privileges() -> None:
    """Empty every capability set, the bounding set too, and let no program give privileges any more. Raises OSError."""
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(64):
        # The first that the kernel does not know ends the list.
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    empty_capabilities()
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def empty_capabilities() -> None:
    """Empty the effective, permitted and inheritable sets of this process (capset(2)). Raises OSError."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())


def become(uid: int, gid: int) -> None:
    """Take another identity for good, without supplementary groups. Capabilities stay. Raises OSError."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def leave_keyring() -> None:
    """Take an empty session keyring: the one inherited may hold the daemons' keys. Without keyrings nothing is done."""
    number = _SYS_KEYCTL.get(os.uname().machine)
    if number is not None:
        _libc.syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, None)


def watch_directory(path: str) -> int:
    """A descriptor that can be read when a file in a directory is complete (inotify(7)). Raises OSError."""
    descriptor = _call("inotify_init1", os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _call("inotify_add_watch", descriptor, path.encode(), _IN_CLOSE_WRITE | _IN_MOVED_TO)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def remove_ipc(kind: str, identifier: int) -> None:
    """Remove a System V object: ``shm``, ``msg`` or ``sem`` (shmctl(2), msgctl(2), semctl(2)). Raises OSError."""
    if kind == "sem":
        _call("semctl", identifier, 0, _IPC_RMID)
    else:
        _call(f"{kind}ctl", identifier, _IPC_RMID, None)
