# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the gateway routes between its interfaces: its kernel is asked, for every pair of them.

A switch that role gateway has turned on for the flock is 2: by that interface nothing may be routed that is not the flock's.
Where it is 1 somebody else wants it; then it is only told what is routed.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..results.judge import LEAK, PASS, REPORTED
from .syscall_probe import Finding

_SWITCHES = Path("/proc/sys/net/ipv4/conf")
_FOR_THE_FLOCK = ("0", "2")
_PROBE = "router"


def forwarding() -> dict[str, str]:
    """Return the forwarding switch of each interface, and of ``all``."""
    found = {}
    for path in _SWITCHES.iterdir():
        try:
            found[path.name] = (path / "forwarding").read_text(encoding="ascii").strip()
        except OSError:
            continue
    return found


def is_others(value: str) -> bool:
    """Return whether a forwarding switch has been turned on by somebody else than role gateway."""
    return bool(value) and value not in _FOR_THE_FLOCK


def neighbours(links: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return an address beside the host's own on each interface that has a network, as ``ip -json address`` lists them. Pure."""
    found: dict[str, str] = {}
    for link in links:
        own = {item["local"] for item in link.get("addr_info", ()) if item.get("family") == "inet"}
        for item in link.get("addr_info", ()):
            if item.get("family") == "inet" and link["ifname"] != "lo":
                network = ipaddress.IPv4Network(f"{item['local']}/{item['prefixlen']}", strict=False)
                peer = item.get("address", "")
                beside = [str(address) for address, _ in zip(network.hosts(), range(8)) if str(address) not in own]
                if peer or beside:
                    found.setdefault(link["ifname"], peer or beside[0])
    return found


def judged(interface: str, value: str, ways: Mapping[str, str]) -> Finding:
    """Return what is to be said of an interface. Pure.

    Args:
        interface: its name.
        value: its forwarding switch.
        ways: where a packet that comes in by it is routed, by interface it would leave by.
    """
    what = f"what comes in by {interface} (forwarding {value}), routed elsewhere"
    if not ways:
        return Finding(_PROBE, what, PASS)
    why = "; ".join(ways.values())
    return (
        Finding(_PROBE, what, REPORTED, f"not by role gateway: {why}") if is_others(value) else Finding(_PROBE, what, LEAK, why)
    )


def look(vlan: str) -> list[Finding]:
    """Ask this host's kernel about every pair of interfaces, but for packets that come from the VLAN."""
    listed = subprocess.run(["ip", "-json", "-4", "address", "show"], capture_output=True, text=True, check=True).stdout
    beside, switches = neighbours(json.loads(listed or "[]")), forwarding()
    found = []
    for interface, source in beside.items():
        if interface != vlan:
            targets = {name: address for name, address in beside.items() if name != interface}
            ways = {name: _way(address, source, interface) for name, address in targets.items()}
            found.append(judged(interface, switches.get(interface, ""), {name: way for name, way in ways.items() if way}))
    return found


def _way(target: str, source: str, interface: str) -> str:
    words = ["ip", "-4", "route", "get", target, "from", source, "iif", interface]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    way = " ".join(done.stdout.split())
    return "" if done.returncode or way.startswith(("local ", "broadcast ")) else way
