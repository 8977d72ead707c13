# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an account has left on the host."""

from __future__ import annotations

import _signal
import os

from ..linux import dirtree, procfs, syscalls
from ..settings import Account

#: Directories in which every account may write, on hosts whose own view a job once had.
SHARED_DIRECTORIES = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock", "/var/crash")
#: Files by an account's name. Where the daemons' user may not look, cron.deny and at.deny keep the account out.
NAMED_FILES = ("/var/spool/cron/crontabs/{}", "/var/spool/cron/{}", "/var/lib/systemd/linger/{}", "/var/mail/{}")
_IPC = ("shm", "msg", "sem")


def of_account(account: Account) -> list[str]:
    """Everything that is left, one sentence for each; empty when the account is clean."""
    left = [f"process {pid}" for pid in procfs.of_user(account.uid)]
    return left + kept(account)


def kept(account: Account) -> list[str]:
    """The same without its processes: what stays when the last of them has ended."""
    left = [f"file {path}" for path in files(account)]
    return left + [f"System V {kind} {identifier}" for kind, identifier in ipc(account)]


def files(account: Account) -> list[str]:
    """Its files in places that all accounts share, and those by its name."""
    found = []
    for directory in SHARED_DIRECTORIES:
        try:
            with os.scandir(directory) as entries:
                found += [entry.path for entry in entries if entry.stat(follow_symlinks=False).st_uid == account.uid]
        except OSError:
            continue
    return found + [path for path in (name.format(account.name) for name in NAMED_FILES) if os.path.lexists(path)]


def ipc(account: Account) -> list[tuple[str, int]]:
    """Its System V objects: kind and identifier (proc_sysvipc(5))."""
    found = []
    for kind in _IPC:
        try:
            with open(f"/proc/sysvipc/{kind}", encoding="utf-8") as file:
                names, *rows = (line.split() for line in file)
        except (OSError, ValueError):
            continue
        for row in rows:
            if str(account.uid) in (row[names.index("uid")], row[names.index("cuid")]):
                found.append((kind, int(row[1])))
    return found


def clear(account: Account) -> None:
    """Remove what can be removed, as the account itself: its processes, its files, its System V objects."""
    end_processes()
    remove(account)


def end_processes() -> None:
    """End all processes of the user that this one is, but this one."""
    try:
        os.kill(-1, _signal.SIGKILL)
    except OSError:
        pass


def remove(account: Account) -> None:
    """Remove its files in shared places and its System V objects, as the account itself."""
    for path in files(account):
        try:
            directory = dirtree.open_directory(os.path.dirname(path))
            dirtree.remove(directory, os.path.basename(path))
            os.close(directory)
        except OSError:
            continue
    for kind, identifier in ipc(account):
        try:
            syscalls.remove_ipc(kind, identifier)
        except OSError:
            continue
