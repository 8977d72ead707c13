# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pool accounts: one for each job at a time, and none that is not proved clean."""

from __future__ import annotations

import fcntl
import os
import time

from ..errors import SYSTEM, SwitchError
from ..linux import procfs
from ..settings import Account, SwitchSettings

PATIENCE = 5.0
"""Seconds to wait for an account."""
_PAUSE = 0.02


class Lease:
    """An account that is this job's while the descriptor is open in any process."""

    __slots__ = ("account", "descriptor", "directory")

    def __init__(self, account: Account, descriptor: int, directory: str) -> None:
        self.account = account
        self.descriptor = descriptor
        self.directory = directory

    @property
    def quarantine(self) -> str:
        """The file whose presence keeps the account out of use; it holds the reason."""
        return quarantine_file(self.directory, self.account)

    def condemn(self, reason: str) -> None:
        """Keep the account out of use. Raises OSError."""
        with open(self.quarantine, "w", encoding="utf-8") as file:
            file.write(reason + "\n")

    def held_for(self, starter: int) -> None:
        """Note that this process has the account, for a starter (:func:`orphan`). Raises OSError."""
        words = " ".join(f"{pid} {procfs.started(pid)}" for pid in (os.getpid(), starter))
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, words.encode(), 0)

    def clear(self) -> None:
        """Give the account back for use. Raises OSError."""
        try:
            os.unlink(self.quarantine)
        except FileNotFoundError:
            pass


def quarantine_file(directory: str, account: Account) -> str:
    """Where an account's quarantine is noted."""
    return f"{directory}/{account.name}.quarantine"


def orphan(account: Account, directory: str) -> int | None:
    """The process that has an account for a starter that is gone; None when there is none, or when that is not known."""
    try:
        with open(f"{directory}/{account.name}.lock", encoding="utf-8") as file:
            holder, since, starter, start = (int(word) for word in file.read().split())
    except (OSError, ValueError):
        return None
    return holder if _lives(holder, since) and not _lives(starter, start) else None


def _lives(pid: int, since: int) -> bool:
    try:
        return int(procfs.started(pid)) == since
    except OSError:
        return False


def take(account: Account, directory: str) -> Lease | None:
    """Lease one account, or None when it is in use. Raises OSError."""
    descriptor = os.open(f"{directory}/{account.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    taken = Lease(account, descriptor, directory)
    try:
        if os.fstat(descriptor).st_size == 0:
            # The directory is empty after a start of the host, and with it what was known of its accounts.
            taken.condemn("not looked at since the host was started")
            os.write(descriptor, b"known\n")
    except OSError:
        os.close(descriptor)
        raise
    return taken


def lease(settings: SwitchSettings) -> Lease:
    """Lease the first account that is free and clean; wait a little for one that is about to be.

    Raises:
        SwitchError: there is none; the text says of each why not.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return _lease(settings)
        except SwitchError:
            # The account of the slot's last job is proved clean after that has ended for the starter.
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE)


def _lease(settings: SwitchSettings) -> Lease:
    """Lease the first account that is free and clean.

    An account is marked as in quarantine for as long as it is in use: whatever ends the switch, a crash of the host too,
    it stays there until somebody has looked (:func:`clean_check.left_by`).

    Raises:
        SwitchError: there is none; the text says of each why not.
    """
    why = []
    for account in settings.account:
        taken = None
        try:
            taken = take(account, settings.run_directory)
            if taken is None:
                why.append(f"{account.name} is in use")
                continue
            if not (os.path.exists(taken.quarantine) and _left_by(settings, account)):
                taken.condemn("in use")
                return taken
            why.append(f"{account.name} is in quarantine")
        except OSError as error:
            why.append(f"{account.name} cannot be leased in {settings.run_directory}: {error.strerror}")
        if taken:
            os.close(taken.descriptor)
    raise SwitchError(SYSTEM, f"No pool account is free and clean: {'; '.join(why) or 'the settings name none'}")


def _left_by(settings: SwitchSettings, account: Account) -> list[str]:
    # Few jobs need it, and its import takes a part of each job's start.
    from . import clean_check

    return clean_check.left_by(settings, account)
