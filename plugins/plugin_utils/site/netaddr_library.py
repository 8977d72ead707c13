# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The library netaddr. Where the controller has none, filter flock_plan says so in a sentence; nothing here is called then."""

from __future__ import annotations

try:
    from netaddr import AddrFormatError, IPAddress, IPNetwork, cidr_merge
except ImportError:
    AddrFormatError = IPAddress = IPNetwork = cidr_merge = None  # type: ignore[assignment,misc,unused-ignore]

IS_THERE = IPNetwork is not None

__all__ = ["IS_THERE", "AddrFormatError", "IPAddress", "IPNetwork", "cidr_merge"]
