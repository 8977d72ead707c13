# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The daemons' tokens and keys: who beside them could read them."""

from __future__ import annotations

import os
import stat

_GROUP, _EVERYBODY = 0o070, 0o007
_READ = 0o044


def exposed(places: list[str]) -> dict[str, str]:
    """Files of these directories (or these files) that more than their owner may read, with who else may.

    Jobs do not see them all the same (:mod:`mounts`), but everybody else on the host does. What this process may not
    list is not looked at.
    """
    return {path: who for place in places for path, way in _files(place) for who in _readers(path, way)}


def _files(place: str) -> list[tuple[str, int]]:
    """Each file of a place, and the bits of those who can come to it: they need to pass the directory, not to list it."""
    try:
        mode = os.stat(place).st_mode
        if not stat.S_ISDIR(mode):
            return [(place, _GROUP | _EVERYBODY)]
        way = (_GROUP if mode & 0o010 else 0) | (_EVERYBODY if mode & 0o001 else 0)
        return [(f"{place}/{name}", way) for name in sorted(os.listdir(place))] if way else []
    except OSError:
        return []


def _readers(path: str, way: int) -> list[str]:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return []
    open_to = mode & way & _READ if stat.S_ISREG(mode) else 0
    return ["everybody" if open_to & _EVERYBODY else "its group"] if open_to else []
