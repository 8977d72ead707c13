# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep a host from having the flocking VLAN."""

from __future__ import annotations

from collections.abc import Iterator

from .seen import Seen

ALIAS = "sheepfold: the flocking VLAN"
"""of the interface that role vlan has made (roles/vlan/files/flock_vlan.py)"""


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong."""
    if seen.options["state"] == "absent":
        return
    plan, facts = seen.plan, seen.facts
    parent, interface = plan["parent"], plan["interface"]
    if parent not in facts["interfaces"]:
        there = ", ".join(sorted(facts["interfaces"]))
        yield f"flock.parent (or flock_parent) is {parent}: expected an interface of this host ({there})"
    elif facts["interfaces"][parent]["mtu"] < plan["mtu"]:
        most = facts["interfaces"][parent]["mtu"]
        yield f"flock.mtu is {plan['mtu']}: expected at most {most}, the MTU of {parent}, which is the VLAN's parent here"
    if not facts["modules"]["8021q"]:
        yield "the kernel has no VLANs: expected module 8021q"
    if interface in facts["interfaces"] and not _is_ours(interface, seen):
        yield f"flock.vlan_id makes {interface}, which this host already has: expected it to be the flock's alone"
    if facts["rp_filter"] == 2:
        # The larger of `all` and the interface counts, and 2 is the looser one.
        yield "sysctl net.ipv4.conf.all.rp_filter is 2: expected 0 or 1, because it overrides the strict check of the VLAN"


def _is_ours(interface: str, seen: Seen) -> bool:
    """Whether an interface that is there may be the flock's: earlier versions gave it no alias."""
    aliases = {name: each.get("alias", "") for name, each in seen.facts["interfaces"].items()}
    if aliases[interface] == ALIAS:
        return True
    # One that NetworkManager is to make for another number is not there yet.
    elsewhere = ALIAS in aliases.values()
    return bool(seen.facts["files"]["/etc/sheepfold/vlan/vlan.json"]) and not elsewhere and not aliases[interface]
