# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom the shepherd looks after: which access points are local."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """Whom the shepherd looks after."""

    access_points: tuple[str, ...] = ()
    """names of the local access points; empty for all that the site's collector knows and ``foreign_domains`` does not name"""
    foreign_domains: tuple[str, ...] = ()
    """access points that the collector has authenticated as somebody of these domains are not local"""
