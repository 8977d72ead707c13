# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The safety net of each minute (STARTD_CRON): reports what should not be there, clears what can be cleared."""

from __future__ import annotations

import _signal
import os
import time

from . import exposure, settings
from .accounts import clean_check, leases
from .drivers import choice
from .errors import SwitchError
from .linux import dirtree, procfs
from .settings import Account, SwitchSettings

_ENDING = 5.0
"""Seconds for a process that is killed to be gone."""
_PAUSE = 0.02


def main() -> int:
    """Look at everything once and print what was found as attributes for the machine's ad."""
    known = settings.read()
    seen = _Seen()
    for account in known.account:
        _look_at(known, account, seen)
    _forget_the_gone(known)
    _remove_the_abandoned(known)
    print(f'SheepfoldMode = "{known.mode}"')
    print(f'SheepfoldDriver = "{known.driver}"')
    print(f"SheepfoldAccounts = {len(known.account)}")
    print(f"SheepfoldAccountsInUse = {seen.in_use}")
    print(f'SheepfoldQuarantined = "{_quoted(seen.quarantined)}"')
    print(f'SheepfoldCleared = "{_quoted(seen.cleared)}"')
    when, cleared = _last_cleared(known, "; ".join(seen.cleared))
    print(f"SheepfoldLastClearedAt = {when}")
    print(f'SheepfoldLastCleared = "{_quoted([cleared])}"')
    exposed = [f"{path} is readable by {who}" for path, who in exposure.exposed(known.secret).items()]
    print(f'SheepfoldExposed = "{_quoted(exposed)}"')
    print("- update:true")
    return 0


class _Seen:
    def __init__(self) -> None:
        self.in_use = 0
        self.quarantined: list[str] = []
        self.cleared: list[str] = []


def _look_at(known: SwitchSettings, account: Account, seen: _Seen) -> None:
    lease = leases.take(account, known.run_directory) or _take_from_stopped(known, account, seen)
    if lease is None:
        seen.in_use += 1
        return
    try:
        found = clean_check.left_by(known, account)
        if found:
            _clear(known, lease)
            left = clean_check.left_by(known, account)
            seen.cleared += [f"{account.name}: {each}" for each in found if each not in left]
            if left:
                lease.condemn(", ".join(left))
                seen.quarantined += [f"{account.name}: {each}" for each in left]
                return
        lease.clear()
    finally:
        os.close(lease.descriptor)


def _take_from_stopped(known: SwitchSettings, account: Account, seen: _Seen) -> leases.Lease | None:
    """Take an account from a keeper that is stopped (SIGSTOP) though its job's starter is gone: it ends nothing any more."""
    keeper = leases.orphan(account, known.run_directory)
    try:
        if keeper is None or procfs.state(keeper) != "T":
            return None
        os.kill(keeper, _signal.SIGKILL)
    except OSError:
        return None
    seen.cleared.append(f"{account.name}: stopped process {keeper}")
    end = time.monotonic() + _ENDING
    while time.monotonic() < end:
        lease = leases.take(account, known.run_directory)
        if lease:
            return lease
        time.sleep(_PAUSE)
    return None


def _clear(known: SwitchSettings, lease: leases.Lease) -> None:
    """Clear in a process of its own: it goes into a namespace from which there is no way back."""
    pid = os.fork()
    if pid == 0:
        try:
            driver = choice.for_account(known, lease)
            driver.begin()
            driver.ready()
            driver.enter()
            driver.clear()
            for path in clean_check.sandboxes(known, lease.account):
                driver.hand_back(path)
                _remove_abandoned(known, path)
        except (OSError, SwitchError):
            # What is left is seen and told of.
            pass
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def _remove_abandoned(known: SwitchSettings, path: str) -> None:
    """Remove the directory of a starter that is gone: nobody else does."""
    place = path[len(known.execute) + 1 :].partition("/")[0]
    pid = place.rpartition("_")[2]
    if pid.isdigit() and not _is_daemons(pid):
        execute = dirtree.open_directory(known.execute)
        dirtree.remove(execute, place)


def _is_daemons(pid: str) -> bool:
    """Whether there is a process of the daemons' user by this number: after a start of the host it may be another's."""
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.getuid()
    except OSError:
        return False


def _remove_the_abandoned(known: SwitchSettings) -> None:
    """Remove what is the daemons' own in directories of starters and payloads that are gone.

    Their keepers do so, unless condor_procd takes them for processes of the starter that has just ended.
    """
    try:
        names = os.listdir(known.execute)
    except OSError:
        return
    for name in names:
        try:
            path = f"{known.execute}/{name}"
            if name.startswith("dir_") and os.stat(path, follow_symlinks=False).st_uid == os.getuid():
                _remove_abandoned(known, path)
        except OSError:
            # Something of an account's in it, which is told of above, or another removes it too.
            continue


def _last_cleared(known: SwitchSettings, cleared: str) -> tuple[int, str]:
    """What was cleared last since the host was booted, and when (seconds since the epoch): 0 and nothing for never.

    It is kept because a startd's ad goes to the collector less often than this check is made.
    """
    path = f"{known.run_directory}/cleared"
    if cleared:
        when = int(time.time())
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"{when} {cleared}")
        except OSError:
            # No room: it is told this once.
            pass
        return when, cleared
    try:
        with open(path, encoding="utf-8") as file:
            at, _, text = file.read().partition(" ")
    except OSError:
        return 0, ""
    return int(at) if at.isdigit() else 0, text


def _forget_the_gone(known: SwitchSettings) -> None:
    """Remove what was kept for starters and first stages that are gone."""
    for name in os.listdir(known.run_directory):
        pid, _, rest = name.partition(".")
        if not pid.isdigit():
            continue
        try:
            gone = procfs.started(int(pid)) != rest.partition(".")[0] and rest.endswith(".starter")
        except OSError:
            gone = True
        if gone:
            os.unlink(f"{known.run_directory}/{name}")


def _quoted(sentences: list[str]) -> str:
    return "; ".join(sentences).replace("\\", "\\\\").replace('"', '\\"')
