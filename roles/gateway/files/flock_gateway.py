# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flocking VLAN's firewall on the gateway: load, close, check, guard, remove.

The layers, in the order in which they come in:

1. policy rules: what comes from or goes to the VLAN without the table's mark is dropped by routing, which no
   nftables command can flush; what has the mark still finds no route to a denied network;
2. the nftables table, which filters, translates, and sets the mark; and one that counts flows;
3. tc filters at the VLAN's interface: without the table, the gateway's own services stay out of reach;
4. permanent neighbour entries, so that no container can take another's address, and no ARP but the containers' own;
5. forwarding, on the interfaces concerned only, and for nothing else that comes in by them;
6. if the site wants it, a flowtable: open flows that the table has let through pass by it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIBRARY = os.environ.get("SHEEPFOLD_LIB", "/usr/local/lib/sheepfold")
sys.path.insert(0, LIBRARY)

import flock_applied
import flock_forwarding
import flock_limits
import flock_neighbours
import flock_routing
from flock_events import Watched
from flock_files import accepted
from flock_interface import Interface
from flock_net import MISSING, Failure, Layer, Table, TrafficFilter, link_exists, link_is_up, run, run_whole
from flock_service import Service, in_force, main, read_settings

CONFIGURATION = Path(os.environ.get("SHEEPFOLD_GATEWAY", "/etc/sheepfold/gateway/gateway.json"))


class OwnServices(TrafficFilter):
    """What may reach the gateway itself while the table is missing: HTCondor and answers, as with the table."""

    def __init__(self, site: Mapping[str, Any]) -> None:
        super().__init__(site["interface"])
        self.site = site

    def filters(self) -> Sequence[str]:
        """Return the filters: what is asked of the flock's own address, then who gets there, and what no container may reach.

        What only passes through, nearly all, is looked up once among this host's addresses. All but IPv4 comes last, and
        fragments, of which the first hides what it asks for (flower reads no ports in it), and all take up memory.
        """
        own, port = self.site["address"], self.site["condor_port"]
        return [
            "ingress chain 1 pref 5 handle 1 protocol ip flower ip_flags frag action drop",
            *([f"ingress chain 1 pref 10 handle 1 protocol ip flower ip_proto tcp dst_port {port} action pass"] if port else []),
            "ingress chain 1 pref 20 handle 1 protocol ip flower ip_proto tcp tcp_flags 0x02/0x12 action drop",
            "ingress chain 1 pref 30 handle 1 protocol ip flower ip_proto tcp action pass",
            "ingress chain 1 pref 40 handle 1 protocol ip flower ip_proto icmp action pass",
            "ingress chain 1 pref 50 handle 1 protocol ip flower action drop",
            "ingress pref 10 handle 1 protocol arp flower action pass",
            *(
                f"ingress pref 20 handle {handle} protocol ip flower dst_ip {address} "
                + ("action goto chain 1" if address == own else "action drop")
                for handle, address in enumerate(self._own_addresses(), 1)
            ),
            # Not pref 30, an earlier version's: flower does not change which fields a filter looks at.
            "ingress pref 25 handle 1 protocol ip flower ip_flags nofrag action pass",
            "ingress pref 40 handle 1 protocol all flower action drop",
        ]

    def _own_addresses(self) -> list[str]:
        """Return this host's addresses, and those that mean every host: of each network's, too, and where none is named."""
        broadcast = str(ipaddress.ip_network(self.site["subnet"]).broadcast_address)
        found = {item["local"] for link in json.loads(run("ip", "-json", "-4", "address", "show")) for item in link["addr_info"]}
        # Broadcast addresses, and networks that are this host's as a whole.
        found |= {route["dst"] for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "local") or "[]")}
        others = {address for address in found if not address.startswith("127.")}
        return sorted({self.site["address"], broadcast, "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", *others})


class Flowtable:
    """What lets open flows pass by the table, with the limits that hold for them all the same; where the site wants it.

    The table's own file takes the flows out of it: after a change they are looked at once more.
    """

    name = "flowtable"
    fixed = False
    table = "flock_offload"

    def __init__(self, site: Mapping[str, Any]) -> None:
        self.interfaces = (site["interface"], site["wan_interface"])
        self.wanted = bool(site["flowtable"])
        # One file for both.
        file = Path(site["flowtable"] or os.devnull)
        self.tables = [Table(family, self.table, file) for family in ("inet", "netdev")]

    def _possible(self) -> bool:
        return self.wanted and all(map(link_exists, self.interfaces))

    def apply(self) -> None:
        """Load it where both interfaces are there, and take it away where one is not: nothing is lost but speed."""
        if self._possible():
            self.tables[0].apply()
        else:
            self.remove()

    def state(self, thorough: bool) -> str:
        """Return the rules there are, or that they are missing where there should be some."""
        rules = [table.state(False) for table in self.tables]
        if self._possible():
            return MISSING if MISSING in rules else "\n".join(rules)
        return "\n".join(["not wanted", *rules])

    def remove(self) -> None:
        """Take it away."""
        for table in self.tables:
            if table.state(False) != MISSING:
                table.remove()


class Gateway(Service):
    """The gateway's service."""

    def __init__(self, site: Mapping[str, Any], files: Sequence[Path] = ()) -> None:
        self.site = site
        applied = flock_applied.Applied(site, accepted(CONFIGURATION))
        policy_rules = flock_routing.PolicyRules(site, applied)
        self.forwarding = flock_forwarding.Forwarding(site, policy_rules.end, applied)
        table = Table("inet", "flock_gateway", Path(site["rules"]))
        self.policy_rules = policy_rules
        layers: list[Layer] = [Interface(), policy_rules, table]
        if site.get("limits"):  # settings of version 1.0 have none
            layers.append(flock_limits.Limits(Path(site["limits"])))
        if site["tc"]:
            layers.append(OwnServices(site))
        layers += [flock_neighbours.Neighbours(site), self.forwarding, Flowtable(site)]
        super().__init__("gateway", site["interface"], table, layers, files)
        #: The way that was open when the link was opened last, and the rules that were before ours then.
        self.refused: list[str] = []
        tables = (table.table, Flowtable.table, flock_forwarding.TABLE, flock_limits.TABLE, flock_neighbours.TABLE)
        self.watched = Watched(site["interface"], tables, int(site["route_table"]), list(site["nodes"]))

    def anew(self) -> Gateway:
        """Return the service as its files describe it now."""
        return make(CONFIGURATION)

    def health(self) -> None:
        """Ask the kernel where it would send packets that must not get there, and the site's own command whether all is well."""
        if self.refused and not link_is_up(self.interface) and self.policy_rules.earlier() == self.refused[1:]:
            # As long as the same rules come before ours, the link need not be opened to see that it must not be.
            raise Failure(self.refused[0])
        self.look()
        if self.site["health_command"]:
            run_whole(*shlex.split(self.site["health_command"]), timeout=20)

    def look(self) -> None:
        """Ask the kernel where it would send packets that must not get there."""
        for way in self._open_ways():
            self.refused = [way, *self.policy_rules.earlier()]
            raise Failure(way)
        self.refused = []

    def _open_ways(self) -> list[str]:
        """Return the ways that routing leaves open to a container, by itself; where the link is down there is none to ask for."""
        vlan, nodes = self.site["interface"], list(self.site["nodes"])
        target = flock_routing.target(self.site["denied"], self.site["allowed"])
        found = []
        if nodes and target and link_is_up(vlan):
            for mark in ("0", str(self.site["mark"])):
                try:
                    way = run("ip", "-4", "route", "get", target, "from", nodes[0], "iif", vlan, "mark", mark).split("\n")[0]
                except Failure:
                    continue
                if not way.startswith(("local ", "broadcast ")):
                    found.append(f"a packet from {nodes[0]} to the denied address {target} would find a way: {way.strip()}")
        return found

    def remarks(self) -> list[str]:
        """Return the policy rules that come before ours, and what they open."""
        return self.policy_rules.earlier() + self._open_ways()

    def close(self) -> None:
        """Take the link down, and switch off the forwarding that is on for the flock."""
        super().close()
        self.forwarding.remove()


def make(settings: Path) -> Gateway:
    """Return the service that the settings describe."""
    site = in_force(settings, {"limits": "", **read_settings(settings)}, "rules", "limits", "flowtable")
    return Gateway(site, [*filter(Path.is_file, [Path(site["limits"]), Path(site["flowtable"])]), settings])


if __name__ == "__main__":
    sys.exit(main(make, CONFIGURATION, sys.argv[1:]))
