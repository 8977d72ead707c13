# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver that the settings name. Each is imported only where it is used: that takes a part of each job's start."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..accounts.leases import Lease
    from ..settings import SwitchSettings
    from .base import Driver


def for_account(settings: SwitchSettings, lease: Lease) -> Driver:
    """The driver that the settings name, for one account."""
    if settings.driver == "userv":
        from . import userv

        return userv.Driver(settings, lease)
    from . import newuidmap

    return newuidmap.Driver(settings, lease)
