# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The safety net of each minute (STARTD_CRON): reports what should not be there, clears what can be cleared."""

from __future__ import annotations

import os
import time

from . import accounts, leftovers, monitor, processes, sandbox, settings, shared_sandbox, tree
from .errors import SwitchError
from .settings import Account, Settings


def main() -> int:
    """Look at everything once and print what was found as attributes for the machine's ad."""
    known = settings.read()
    seen = _Seen()
    for account in known.account:
        _look_at(known, account, seen)
    _forget_the_gone(known)
    print(f'SheepfoldMode = "{known.mode}"')
    print(f'SheepfoldDriver = "{known.driver}"')
    print(f"SheepfoldAccounts = {len(known.account)}")
    print(f"SheepfoldAccountsInUse = {seen.in_use}")
    print(f'SheepfoldQuarantined = "{_quoted(seen.quarantined)}"')
    print(f'SheepfoldCleared = "{_quoted(seen.cleared)}"')
    when, cleared = _last_cleared(known, "; ".join(seen.cleared))
    print(f"SheepfoldLastClearedAt = {when}")
    print(f'SheepfoldLastCleared = "{_quoted([cleared])}"')
    print("- update:true")
    return 0


class _Seen:
    def __init__(self) -> None:
        self.in_use = 0
        self.quarantined: list[str] = []
        self.cleared: list[str] = []


def _look_at(known: Settings, account: Account, seen: _Seen) -> None:
    lease = accounts.take(account, known.run_directory)
    if lease is None:
        seen.in_use += 1
        return
    try:
        found = leftovers.of_account(account) + _sandboxes(known, account)
        if found:
            _clear(known, lease)
            left = leftovers.of_account(account) + _sandboxes(known, account)
            seen.cleared += [f"{account.name}: {each}" for each in found if each not in left]
            if left:
                lease.condemn(", ".join(left))
                seen.quarantined += [f"{account.name}: {each}" for each in left]
                return
        lease.clear()
    finally:
        os.close(lease.descriptor)


def _sandboxes(known: Settings, account: Account) -> list[str]:
    """Directories of jobs whose files are the account's, though no job has it."""
    try:
        places = [f"{known.execute}/{name}" for name in os.listdir(known.execute)]
    except OSError:
        return []
    candidates = [path for place in places for path in (place, f"{place}/scratch")]
    return [path for path in candidates if account.uid in (sandbox.holder(path), shared_sandbox.holder(path))]


def _clear(known: Settings, lease: accounts.Lease) -> None:
    """Clear in a process of its own: it goes into a namespace from which there is no way back."""
    pid = os.fork()
    if pid == 0:
        try:
            driver = monitor.driver(known, lease)
            driver.begin()
            driver.ready()
            driver.enter()
            driver.clear()
            for path in _sandboxes(known, lease.account):
                driver.hand_back(path)
                _remove_abandoned(known, path)
        except (OSError, SwitchError):
            # What is left is seen and told of.
            pass
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def _remove_abandoned(known: Settings, path: str) -> None:
    """Remove the directory of a starter that is gone: nobody else does."""
    place = path[len(known.execute) + 1 :].partition("/")[0]
    pid = place.rpartition("_")[2]
    if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
        execute = tree.open_directory(known.execute)
        tree.remove(execute, place)


def _last_cleared(known: Settings, cleared: str) -> tuple[int, str]:
    """What was cleared last since the host was booted, and when (seconds since the epoch): 0 and nothing for never.

    It is kept because a startd's ad goes to the collector less often than this check is made.
    """
    path = f"{known.run_directory}/cleared"
    if cleared:
        when = int(time.time())
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{when} {cleared}")
        return when, cleared
    try:
        with open(path, encoding="utf-8") as file:
            at, _, text = file.read().partition(" ")
    except OSError:
        return 0, ""
    return int(at) if at.isdigit() else 0, text


def _forget_the_gone(known: Settings) -> None:
    """Remove what was kept for starters and first stages that are gone."""
    for name in os.listdir(known.run_directory):
        pid, _, rest = name.partition(".")
        if not pid.isdigit():
            continue
        try:
            gone = processes.started(int(pid)) != rest.partition(".")[0] and rest.endswith(".starter")
        except OSError:
            gone = True
        if gone:
            os.unlink(f"{known.run_directory}/{name}")


def _quoted(sentences: list[str]) -> str:
    return "; ".join(sentences).replace("\\", "\\\\").replace('"', '\\"')
