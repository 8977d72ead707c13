# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an account is clean: what it has left on the host, the directories of its jobs among it."""

from __future__ import annotations

import os

from ..sandbox import acl_handover, layout
from ..settings import Account, SwitchSettings
from . import residue


def left_by(known: SwitchSettings, account: Account) -> list[str]:
    """Everything that is left of an account that no job has, one sentence or path for each; empty when it is clean."""
    return residue.of_account(account) + sandboxes(known, account)


def sandboxes(known: SwitchSettings, account: Account) -> list[str]:
    """Directories of jobs whose files are the account's."""
    try:
        places = [f"{known.execute}/{name}" for name in os.listdir(known.execute)]
    except OSError:
        return []
    candidates = [path for place in places for path in (place, f"{place}/scratch")]
    return [path for path in candidates if account.uid in (layout.holder(path), acl_handover.holder(path))]
