# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ads of thousands of nodes: those of real startds and masters under other names, addresses and times. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TIME = re.compile(r"^(MyCurrentTime|LastHeardFrom|DaemonStartTime|EnteredCurrent\w+) = \d+$", re.MULTILINE)
_SIZE = re.compile(r"^((?:Total|TotalSlot)?Disk|TotalVirtualMemory|(?:Total)?LoadAvg) = [\d.]+$", re.MULTILINE)
_ADDRESS = re.compile(r"\b10\.27\.\d+\.\d+\b")


@dataclass(frozen=True)
class Template:
    """A real ad in condor_status's long form."""

    host: str
    """the short name of the host that it is of"""
    collector: str
    """the collector's address, which stays"""
    text: str

    @property
    def attributes(self) -> int:
        """How many it has."""
        return sum(" = " in line for line in self.text.splitlines())

    def of(self, host: str, address: str, now: int, names: Mapping[str, str]) -> str:
        """The ad as another host's. ``names``: further hosts in it and what they are there (the regular side's name)."""
        text = re.sub(rf"\b{re.escape(self.host)}\b", host, self.text)
        for old, new in names.items():
            text = re.sub(rf"\b{re.escape(old)}\b", new, text)
        text = _ADDRESS.sub(lambda found: found.group() if found.group() == self.collector else address, text)
        # No two hosts have the same disk: what is worth knowing once for all that look alike is not to look cheap.
        size = 10_000_000 + int.from_bytes(address.encode(), "big") % 9_999_991
        text = _SIZE.sub(lambda found: f"{found.group(1)} = {0.01 if 'Load' in found.group(1) else size}", text)
        return _TIME.sub(lambda found: f"{found.group(1)} = {now}", text).strip() + "\n"


@dataclass(frozen=True)
class Kind:
    """The four ads of a node in one state."""

    regular: Template
    flocking: Template
    regular_master: Template
    flocking_master: Template


def names(number: int) -> tuple[str, str]:
    """The short names of a made node's sides."""
    return f"p{number:05}", f"f{number:05}"


def _address(base: int, number: int) -> str:
    return f"10.{base}.{number >> 8}.{number & 255}"


def several(ads: Iterable[str]) -> str:
    """Ads in the form that condor_advertise -multiple reads."""
    return "\n".join(ads)


def nodes(kinds: Iterable[Kind], numbers: range, now: int) -> tuple[list[str], list[str]]:
    """Slots' ads and masters' ads of nodes, their states in turn."""
    slots, masters, all_kinds = [], [], list(kinds)
    for number in numbers:
        kind = all_kinds[number % len(all_kinds)]
        regular, flocking = names(number)
        here, there = _address(100, number), _address(101, number)
        slots.append(kind.regular.of(regular, here, now, {}))
        slots.append(kind.flocking.of(flocking, there, now, {kind.regular.host: regular}))
        masters.append(kind.regular_master.of(regular, here, now, {}))
        masters.append(kind.flocking_master.of(flocking, there, now, {kind.regular.host: regular}))
    return slots, masters
