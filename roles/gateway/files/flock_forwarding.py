# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IPv4 forwarding for the flock, which makes the gateway a router for nobody else.

The kernel forwards what comes in by an interface whose switch is on, to wherever its routing tables say. So an interface
that is switched on for the flock gets a barrier: what comes in by it and is not the flock's is routed nowhere. The barrier is
a policy rule, and a table that keeps it when another hand's rule comes before ours.

A switch that is on for the flock has the value 2. For the kernel that is on, like 1; and 1 is what everybody else writes:
the site, Docker, or net.ipv4.ip_forward. So the kernel itself says whose it is. What others have switched on has no barrier
and is left as it is.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

LIBRARY = os.environ.get("SHEEPFOLD_LIB", "/usr/local/lib/sheepfold")
sys.path.insert(0, LIBRARY)

import flock_routing
from flock_applied import Applied
from flock_net import MISSING, RUN_DIRECTORY, Failure, run

SWITCHES = Path("/proc/sys/net/ipv4/conf")
TABLE = "flock_routing"
OFF, OURS = "0", "2"
# Where version 1.0 wrote down which switches it had set to 1.
_EARLIER_FILE = RUN_DIRECTORY / "gateway.forwarding"


def _read(interface: str, key: str) -> str:
    """Return a switch's value, or an empty text where there is no such interface."""
    try:
        return Path(SWITCHES, interface, key).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _write(interface: str, key: str, value: str) -> None:
    path = Path(SWITCHES, interface, key)
    try:
        path.write_text(value, encoding="ascii")
    except FileNotFoundError:
        return  # The interface has gone: there is nothing to switch.
    except OSError as error:
        raise Failure(f"{path} does not take {value}: {error.strerror}") from error


class Forwarding:
    """IPv4 forwarding on the interfaces that the flock's packets come in by, and source validation that knows the mark.

    Not net.ipv4.ip_forward: that would switch it on for every interface. And rp_filter asks for the way back to a packet's
    source; without the packet's mark the policy rules would answer that there is none.
    """

    name = "forwarding"
    fixed = False
    keys = ("src_valid_mark", "forwarding")

    def __init__(self, site: Mapping[str, Any], priority: int, applied: Applied) -> None:
        self.site = site
        self.applied = applied
        self.priority = priority

    def _interfaces(self) -> list[str]:
        """Return the interfaces that the flock's packets come in by, answers too."""
        found = {self.site["interface"], self.site["wan_interface"]}
        for prefix in self.site["allowed"]:
            try:
                found.add(json.loads(run("ip", "-json", "-4", "route", "get", prefix.split("/")[0]))[0]["dev"])
            except (Failure, LookupError):
                continue
        return sorted(found - {"lo"})

    def _barred(self, interfaces: Iterable[str]) -> list[str]:
        """Return those that forward for the flock alone. What comes from the VLAN itself has rules of its own."""
        everywhere = _read("all", "forwarding")
        values = {name: _read(name, "forwarding") or everywhere for name in interfaces}
        return [name for name, value in values.items() if value in (OFF, OURS) and name != self.site["interface"]]

    def apply(self) -> None:
        """Bar the way to everywhere else, then switch on what is off; take back what is not needed any more."""
        self._adopt()
        interfaces = self._interfaces()
        barred = self._barred(interfaces)
        self._set_table(barred)
        there = self._rules()
        wanted = [(self.priority, name) for name in barred]
        self._rule("add", [rule for rule in wanted if rule not in there])
        for interface in interfaces:
            for key in self.keys:
                if _read(interface, key) == OFF:
                    _write(interface, key, OURS)
        self._switch_off(keep=interfaces)
        self._rule("del", [rule for rule in there if rule not in wanted])
        self.applied.settle()

    def _adopt(self) -> None:
        """Take over what an earlier version has switched on, unless somebody else wants it on by now."""
        if not _EARLIER_FILE.exists():
            return
        if _read("all", "forwarding") == OFF:
            for setting in _EARLIER_FILE.read_text(encoding="utf-8").split():
                interface, key = setting.rsplit("/", 1)
                if key in self.keys and _read(interface, key) == "1":
                    _write(interface, key, OURS)
        _EARLIER_FILE.unlink()

    def _switch_off(self, keep: Iterable[str] = ()) -> None:
        """Switch off what is on for the flock, and nothing that somebody else has switched on."""
        for path in SWITCHES.iterdir():
            for key in self.keys:
                if path.name not in keep and _read(path.name, key) == OURS:
                    _write(path.name, key, OFF)

    def _set_table(self, barred: list[str]) -> None:
        lines = [f"table ip {TABLE}", f"delete table ip {TABLE}"]
        if barred:
            vlan, subnet = self.site["interface"], self.site["subnet"]
            lines += [f"table ip {TABLE} {{", "chain forward {", "type filter hook forward priority filter - 10; policy accept;"]
            for name in barred:
                # What leaves where it came in may be a bridge's own, with br_netfilter, which asks here about what is not routed.
                lines += [
                    f'iifname "{name}" oifname != {{ "{name}", "{vlan}" }} counter drop comment "not the flock\'s"',
                    f'iifname "{name}" oifname "{name}" ip daddr {subnet} counter drop comment "the flock\'s, without the VLAN"',
                ]
            lines += ["}", "}"]
        run("nft", "--file", "-", given="\n".join([*lines, ""]))

    def _rules(self) -> list[tuple[int, str]]:
        """Return priority and interface of the barrier's rules, those of earlier settings too."""
        places, vlan = self.applied.all(), self.site["interface"]
        return [
            (rule["priority"], rule["iif"])
            for rule in flock_routing.rules()
            if flock_routing.is_barrier(rule, vlan) and any(place.has(rule["priority"]) for place in places)
        ]

    def _rule(self, verb: str, rules: Iterable[tuple[int, str]]) -> None:
        lines = [
            f"rule {verb} pref {priority} iif {name} blackhole protocol {flock_routing.PROTOCOL}\n" for priority, name in rules
        ]
        if lines:
            run("ip", "-4", "-batch", "-", given="".join(lines))

    def state(self, thorough: bool) -> str:
        """Return the switches' values and the barrier there is, or that it is not as it has to be."""
        interfaces = self._interfaces()
        values = {f"{name}/{key}": _read(name, key) for name in interfaces for key in self.keys}
        barred, rules = self._barred(interfaces), sorted(self._rules())
        wanted = [(self.priority, name) for name in barred]
        try:
            table = run("nft", "--stateless", "list", "table", "ip", TABLE)
        except Failure:
            table = ""
        barriers = [name for name in interfaces if f'iifname "{name}" oifname' in table]
        if OFF in values.values() or rules != wanted or barriers != barred:
            return MISSING
        return json.dumps([values, rules, table])

    def remove(self) -> None:
        """Switch off what is on for the flock, then take the barrier away."""
        self._adopt()
        self._switch_off()
        self._rule("del", self._rules())
        self._set_table([])
