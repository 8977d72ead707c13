# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The switches and the MAC address of the flocking VLAN's interface."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flock_net import Failure, link_exists, run

CONFIGURATION = Path(os.environ.get("SHEEPFOLD_VLAN", "/etc/sheepfold/vlan/vlan.json"))
SWITCHES = Path("/proc/sys/net")


def _paths(name: str, switches: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Path, str]]:
    for family, settings in switches.items():
        directory = SWITCHES / family / "conf" / name
        # A kernel without IPv6 has no switches for it.
        if family == "ipv4" or directory.exists():
            yield from ((directory / key, value) for key, value in settings.items())


def set_switches(name: str, switches: Mapping[str, Mapping[str, str]]) -> None:
    """Set an interface's switches, by family."""
    for path, value in _paths(name, switches):
        try:
            if path.read_text(encoding="ascii").strip() != value:
                path.write_text(value, encoding="ascii")
        except OSError as error:
            raise Failure(f"{path} does not take {value}: {error.strerror}") from error


def _mac(name: str) -> str:
    try:
        return Path("/sys/class/net", name, "address").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def set_mac(name: str, mac: str) -> None:
    """Give an interface its MAC address, where it is to have one of its own."""
    if mac and _mac(name) != mac.lower():
        run("ip", "link", "set", "dev", name, "address", mac)


class Interface:
    """What role vlan has set at the interface: another hand may set it otherwise."""

    name = "interface"
    fixed = True

    def __init__(self) -> None:
        self.vlan: Mapping[str, Any] = {}
        if CONFIGURATION.exists():
            self.vlan = json.loads(CONFIGURATION.read_text(encoding="utf-8"))
            self.mac = self.vlan["mac"].lower()

    def apply(self) -> None:
        """Set it again."""
        if self.vlan and link_exists(self.vlan["interface"]):
            set_switches(self.vlan["interface"], self.vlan["switches"])
            set_mac(self.vlan["interface"], self.mac)

    def state(self, thorough: bool) -> str:
        """Return the switches and the MAC address; those of an interface that is not there are what they will be."""
        if not self.vlan:
            return "not of role vlan"
        name, switches = self.vlan["interface"], self.vlan["switches"]
        there = link_exists(name)
        found = {}
        for path, value in _paths(name, switches):
            found[str(path)] = path.read_text(encoding="ascii").strip() if there and path.exists() else value
        return json.dumps([found, _mac(name) if there and self.mac else self.mac])

    def remove(self) -> None:
        """Leave it: it is role vlan's."""
