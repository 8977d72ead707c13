# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is who on the VLAN, as the gateway sees it: nobody tells it by ARP.

Without the table a member of the VLAN without a port filter fills the host's neighbour table, which serves the site's networks
too, with addresses that it makes up.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

LIBRARY = os.environ.get("SHEEPFOLD_LIB", "/usr/local/lib/sheepfold")
sys.path.insert(0, LIBRARY)

from flock_net import MISSING, Failure, link_exists, run

TABLE = "flock_arp"
_RULES = f"""
table arp {TABLE}
delete table arp {TABLE}
table arp {TABLE} {{{{
  set bindings {{{{
    type ipv4_addr . ether_addr
    {{elements}}
  }}}}
  chain input {{{{
    type filter hook input priority filter; policy accept;
    iifname "{{vlan}}" arp saddr ip . arp saddr ether != @bindings counter drop comment "ARP of no container"
  }}}}
}}}}
"""


class Neighbours:
    """Permanent entries for all containers, and a table that takes ARP from them alone."""

    name = "neighbour entries"
    fixed = False

    def __init__(self, site: Mapping[str, Any]) -> None:
        self.site = site
        self.wanted = {address: mac.lower() for address, mac in site["nodes"].items()}

    def apply(self) -> None:
        """Set them, and take away permanent ones of nodes that are gone."""
        vlan = self.site["interface"]
        pairs = ", ".join(f"{address} . {mac}" for address, mac in self.wanted.items())
        run("nft", "--file", "-", given=_RULES.format(vlan=vlan, elements=f"elements = {{ {pairs} }}" if pairs else ""))
        if not link_exists(vlan):
            return
        lines = [f"neigh replace {address} lladdr {mac} dev {vlan} nud permanent" for address, mac in self.wanted.items()]
        lines += [f"neigh del {address} dev {vlan}" for address in self._there() if address not in self.wanted]
        run("ip", "-batch", "-", given="".join(f"{line}\n" for line in lines))

    def _there(self) -> dict[str, str]:
        shown = run("ip", "-json", "-4", "neigh", "show", "dev", self.site["interface"], "nud", "permanent")
        return {item["dst"]: item.get("lladdr", "") for item in json.loads(shown or "[]")}

    def state(self, thorough: bool) -> str:
        """Return the permanent entries, or that they are not those of the nodes."""
        try:
            table = run("nft", "--stateless", "list", "table", "arp", TABLE)
        except Failure:
            return MISSING
        if not link_exists(self.site["interface"]):
            return table
        there = self._there()
        return json.dumps([there, table], sort_keys=True) if there == self.wanted else MISSING

    def remove(self) -> None:
        """Take the table and the entries away."""
        run("nft", "--file", "-", given=f"table arp {TABLE}\ndelete table arp {TABLE}\n")
        if link_exists(self.site["interface"]):
            run("ip", "-4", "neigh", "flush", "dev", self.site["interface"], "nud", "permanent")
