# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a job sees of the host, and what it can never get."""

from __future__ import annotations

import os

from . import credentials, kernel
from .sandbox import JOB, PRIVATE, TEMPORARY
from .settings import Settings

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
SERVICES = ("/run/dbus", "/run/systemd/private", "/run/systemd/io.systemd.Login")
"""Where services of the host act for whoever asks, by his uid: systemd-logind lets a user without a session have processes
of his own that last (SetUserLinger; polkit's default lets everybody)."""
_QUIET = kernel.MS_NOSUID | kernel.MS_NODEV


class View:
    """What the job sees: from the settings, and the job's own directory."""

    __slots__ = ("execute", "hidden", "job_root", "place", "sandbox", "tmp_size", "user_namespaces")

    def __init__(self, settings: Settings, sandbox: str) -> None:
        self.sandbox = sandbox
        self.execute = os.path.realpath(settings.execute)
        # The starter's directory, in which later versions have the sandbox beside files of their own.
        self.place = f"{self.execute}/{sandbox[len(self.execute) + 1 :].partition('/')[0]}"
        self.hidden = [*SERVICES, *settings.secret, *settings.hidden]
        self.job_root = settings.job_root
        self.tmp_size = settings.tmp_size
        self.user_namespaces = settings.user_namespaces


def enter(view: View) -> None:
    """Give this process, the first of its PID namespace, a view of the files of its own, then take every privilege away.

    Its uid is the account's, and it has every capability in its user namespace. Raises OSError.
    """
    kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    private = os.open(f"{view.sandbox}/{PRIVATE}", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    tokens = _open_tokens(view)
    kernel.mount("proc", "/proc", "proc", _QUIET | kernel.MS_NOEXEC)
    place = os.open(view.place, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    kernel.mount("tmpfs", view.execute, "tmpfs", _QUIET, "mode=0755,size=64k")
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
        kernel.mount(".", "/", flags=kernel.MS_MOVE)
        os.chroot(".")
    _close(view)


def map_only(uid: int, gid: int) -> None:
    """Have the user namespace of this process know its own ids alone (user_namespaces(7)). Raises OSError."""
    for name, content in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        _write(f"/proc/self/{name}", content)


def _close(view: View) -> None:
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    map_only(uid, gid)
    if not view.user_namespaces:
        _write("/proc/sys/user/max_user_namespaces", "0")
    kernel.leave_keyring()
    kernel.give_up_privileges()
    # Nothing of the job may look into what holds its reins.
    kernel.set_dumpable(False)


def _show_own_sandbox(view: View, place: int, private: int, root: str) -> None:
    """Of all sandboxes this job's, where HTCondor has told it that it is."""
    if root:
        kernel.mount("tmpfs", root + view.execute, "tmpfs", _QUIET, "mode=0755,size=64k")
    os.mkdir(root + view.place)
    if view.place != view.sandbox:
        kernel.mount(f"/proc/self/fd/{place}", root + view.place, flags=kernel.MS_BIND)
    kernel.mount(f"/proc/self/fd/{private}/{JOB}", root + view.sandbox, flags=kernel.MS_BIND)
    kernel.mount("", root + view.execute, flags=kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | _QUIET)


def _open_tokens(view: View) -> int:
    """A descriptor of the directory with the job's tokens, or -1 where none is beside the job's own files."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(f"{view.sandbox}/{credentials.DIRECTORY}", flags)
    except OSError:
        return -1


def _show_tokens(view: View, tokens: int, root: str) -> None:
    target = f"{root}{view.sandbox}/{credentials.DIRECTORY}"
    kernel.mount(f"/proc/self/fd/{tokens}", target, flags=kernel.MS_BIND)
    kernel.mount("", target, flags=kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | _QUIET)
    os.close(tokens)


def _private_directories(view: View, private: int, root: str) -> None:
    size = f"size={view.tmp_size}m," if view.tmp_size else ""
    for path, name in TEMPORARY.items():
        if not os.path.isdir(root + path):
            continue
        if view.tmp_size:
            kernel.mount("tmpfs", root + path, "tmpfs", _QUIET, size + "mode=1777")
        else:
            kernel.mount(f"/proc/self/fd/{private}/{name}", root + path, flags=kernel.MS_BIND)
    if os.path.isdir(f"{root}/dev/shm"):
        kernel.mount("tmpfs", f"{root}/dev/shm", "tmpfs", _QUIET, size + "mode=1777")
    if os.path.isdir(f"{root}/dev/mqueue"):
        kernel.mount("mqueue", f"{root}/dev/mqueue", "mqueue", _QUIET | kernel.MS_NOEXEC)


def _hide(path: str) -> None:
    if os.path.isdir(path):
        kernel.mount("tmpfs", path, "tmpfs", _QUIET | kernel.MS_RDONLY, "mode=0755,size=4k")
    elif os.path.lexists(path):
        kernel.mount("/dev/null", path, flags=kernel.MS_BIND)


def _job_root(view: View) -> str:
    """Put the job's root together; where it is."""
    root = view.execute
    kernel.mount(view.job_root, root, flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.mount("", root, flags=kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | _QUIET)
    kernel.mount("/proc", f"{root}/proc", flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.mount("tmpfs", f"{root}/dev", "tmpfs", kernel.MS_NOSUID | kernel.MS_NOEXEC, "mode=0755,size=64k")
    for name in _DEVICES:
        _write(f"{root}/dev/{name}", "")
        kernel.mount(f"/dev/{name}", f"{root}/dev/{name}", flags=kernel.MS_BIND)
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
