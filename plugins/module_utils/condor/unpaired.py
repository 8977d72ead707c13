# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes whose two startds are not both seen: only of these is it worth asking what their masters say. Pure.

The masters' ads of a big pool take as long to read as half of its slots', and nearly all of them say what the slots' have said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .ads import SlotAd, short, texts_of

_MOST = 500
"""names in a constraint: the collector compares every ad with all of them"""


def incomplete(slots: Iterable[SlotAd], known: Collection[str]) -> set[str]:
    """Names of nodes with two startds that lack one. ``known``: names of some such nodes."""
    regular: set[str] = set()
    flocking: set[str] = set()
    # Names of hosts are the same in capitals.
    paired = {name.lower() for name in known}
    for slot in slots:
        if slot.flock_node is True:
            flocking.add(slot.flock_host.lower())
            continue
        machine = slot.machine.lower()
        regular.update((machine, short(machine)))
        if slot.flock_node is False:
            paired.add(short(machine))
    flocking.discard("")
    return {name for name in paired | flocking if name not in regular or name not in flocking}


def masters_of(names: Collection[str]) -> str:
    """A constraint on masters' ads: those of these nodes, whichever side they are of. Empty (all masters) for very many."""
    if len(names) > _MOST:
        return ""
    texts = texts_of(names)
    return f'(member(FlockHost, {texts}) || member(split(Machine ?: "", ".")[0], {texts}) || member(Machine, {texts}))'
