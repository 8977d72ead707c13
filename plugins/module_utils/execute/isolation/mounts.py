# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a job sees of the host, and what it can never get."""

from __future__ import annotations

import os

from ..linux import syscalls
from ..sandbox import job_tokens
from ..sandbox.layout import JOB, PRIVATE, TEMPORARY
from ..settings import SwitchSettings

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
SERVICES = ("/run/dbus", "/run/systemd/private", "/run/systemd/io.systemd.Login")
"""Where services of the host act for whoever asks, by his uid: systemd-logind lets a user without a session have processes
of his own that last (SetUserLinger; polkit's default lets everybody)."""
_QUIET = syscalls.MS_NOSUID | syscalls.MS_NODEV


class MountView:
    """What the job sees: from the settings, and the job's own directory."""

    __slots__ = ("execute", "hidden", "job_root", "place", "sandbox", "tmp_size", "user_namespaces")

    def __init__(self, settings: SwitchSettings, sandbox: str) -> None:
        self.sandbox = sandbox
        self.execute = os.path.realpath(settings.execute)
        # The starter's directory, in which later versions have the sandbox beside files of their own.
        self.place = f"{self.execute}/{sandbox[len(self.execute) + 1 :].partition('/')[0]}"
        self.hidden = [*SERVICES, *settings.secret, *settings.hidden]
        self.job_root = settings.job_root
        self.tmp_size = settings.tmp_size
        self.user_namespaces = settings.user_namespaces


def enter(view: MountView) -> None:
    """Give this process, the first of its PID namespace, a view of the files of its own, then take every privilege away.

    Its uid is the account's, and it has every capability in its user namespace. Raises OSError.
    """
    syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    private = os.open(f"{view.sandbox}/{PRIVATE}", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    tokens = _open_tokens(view)
    syscalls.mount("proc", "/proc", "proc", _QUIET | syscalls.MS_NOEXEC)
    place = os.open(view.place, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    syscalls.mount("tmpfs", view.execute, "tmpfs", _QUIET, "mode=0755,size=64k")
    root = _job_root(view) if view.job_root else ""
    _show_own_sandbox(view, place, private, root)
    if tokens >= 0:
        _show_tokens(view, tokens, root)
    _private_directories(view, private, root)
    for path in view.hidden:
        _hide(root + path)
    os.close(private)
    os.close(place)
    if root:
        # The move makes it this namespace's own root: a plain chroot would forbid user namespaces even where they are open.
        os.chdir(root)
        syscalls.mount(".", "/", flags=syscalls.MS_MOVE)
        os.chroot(".")
    _close(view)


def map_only(uid: int, gid: int) -> None:
    """Have the user namespace of this process know its own ids alone (user_namespaces(7)). Raises OSError."""
    for name, content in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        _write(f"/proc/self/{name}", content)


def _close(view: MountView) -> None:
    uid, gid = os.getuid(), os.getgid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    map_only(uid, gid)
    if not view.user_namespaces:
        _write("/proc/sys/user/max_user_namespaces", "0")
    syscalls.leave_keyring()
    syscalls.give_up_privileges()
    # Nothing of the job may look into what supervises it.
    syscalls.set_dumpable(False)


def _show_own_sandbox(view: MountView, place: int, private: int, root: str) -> None:
    """Of all sandboxes this job's, where HTCondor has told it that it is."""
    if root:
        syscalls.mount("tmpfs", root + view.execute, "tmpfs", _QUIET, "mode=0755,size=64k")
    os.mkdir(root + view.place)
    if view.place != view.sandbox:
        syscalls.mount(f"/proc/self/fd/{place}", root + view.place, flags=syscalls.MS_BIND)
    syscalls.mount(f"/proc/self/fd/{private}/{JOB}", root + view.sandbox, flags=syscalls.MS_BIND)
    syscalls.mount("", root + view.execute, flags=syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | _QUIET)


def _open_tokens(view: MountView) -> int:
    """A descriptor of the directory with the job's tokens, or -1 where none is beside the job's own files."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(f"{view.sandbox}/{job_tokens.DIRECTORY}", flags)
    except OSError:
        return -1


def _show_tokens(view: MountView, tokens: int, root: str) -> None:
    target = f"{root}{view.sandbox}/{job_tokens.DIRECTORY}"
    syscalls.mount(f"/proc/self/fd/{tokens}", target, flags=syscalls.MS_BIND)
    syscalls.mount("", target, flags=syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | _QUIET)
    os.close(tokens)


def _private_directories(view: MountView, private: int, root: str) -> None:
    size = f"size={view.tmp_size}m," if view.tmp_size else ""
    for path, name in TEMPORARY.items():
        if not os.path.isdir(root + path):
            continue
        if view.tmp_size:
            syscalls.mount("tmpfs", root + path, "tmpfs", _QUIET, size + "mode=1777")
        else:
            syscalls.mount(f"/proc/self/fd/{private}/{name}", root + path, flags=syscalls.MS_BIND)
    if os.path.isdir(f"{root}/dev/shm"):
        syscalls.mount("tmpfs", f"{root}/dev/shm", "tmpfs", _QUIET, size + "mode=1777")
    if os.path.isdir(f"{root}/dev/mqueue"):
        syscalls.mount("mqueue", f"{root}/dev/mqueue", "mqueue", _QUIET | syscalls.MS_NOEXEC)


def _hide(path: str) -> None:
    if os.path.isdir(path):
        syscalls.mount("tmpfs", path, "tmpfs", _QUIET | syscalls.MS_RDONLY, "mode=0755,size=4k")
    elif os.path.lexists(path):
        syscalls.mount("/dev/null", path, flags=syscalls.MS_BIND)


def _job_root(view: MountView) -> str:
    """Put the job's root together; where it is."""
    root = view.execute
    syscalls.mount(view.job_root, root, flags=syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.mount("", root, flags=syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | _QUIET)
    syscalls.mount("/proc", f"{root}/proc", flags=syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.mount("tmpfs", f"{root}/dev", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, "mode=0755,size=64k")
    for name in _DEVICES:
        _write(f"{root}/dev/{name}", "")
        syscalls.mount(f"/dev/{name}", f"{root}/dev/{name}", flags=syscalls.MS_BIND)
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"{root}/dev/{name}")
    for name in ("shm", "mqueue"):
        os.mkdir(f"{root}/dev/{name}")
    return root


def _write(path: str, content: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(handle, content.encode())
    finally:
        os.close(handle)
