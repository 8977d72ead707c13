# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep a host from being the flock's gateway."""

from __future__ import annotations

from collections.abc import Iterator

from . import reach, values
from .seen import Seen

KINDS = {
    "new_flows_per_second": values.between(1),
    "new_flows_burst": values.between(1),
    "connections": values.between(1),
    "condor_connections": values.between(1),
    # The WAN address has 64512 ports, and half of them are the site's.
    "total_connections": values.between(1, 32256),
    "megabytes_per_second": values.between(1, 10000),
    "total_megabytes_per_second": values.between(1, 10000),
    "log_group": values.between(0, 65535),
    "log_per_second": values.between(1),
    "mark": values.between(1),
    # 253 to 255 are the kernel's own tables, and 0 is none.
    "route_table": values.between(256),
    # Rules come before the table main (32766), and one place is kept free before the first.
    "rule_priority": values.between(2, 32759),
    "health_command": values.COMMAND,
}


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong."""
    if seen.options["state"] == "absent":
        return
    yield from values.problems("gateway", seen.options, KINDS)
    yield from _connections(seen)
    yield from reach.problems(seen.plan)
    yield from reach.wan_sources(seen.options["wan_sources"])
    yield from _interfaces(seen)
    yield from _kernel(seen)
    if KINDS["rule_priority"].fits(seen.options["rule_priority"]):
        yield from _earlier_rules(seen)
    yield from _policy_rules(seen)


def _connections(seen: Seen) -> Iterator[str]:
    """Hold what the containers may have open against the kernel's table, half of which is the site's."""
    most, nodes = seen.facts["conntrack_max"], len(seen.plan["nodes"])
    total = min(seen.options["total_connections"], nodes * seen.options["connections"])
    if most and total > most // 2:
        yield (
            f"gateway_total_connections is {seen.options['total_connections']}: "
            f"{nodes} containers may have {total} connections open, "
            f"expected at most half of net.netfilter.nf_conntrack_max, which is {most} here"
        )


def _interfaces(seen: Seen) -> Iterator[str]:
    wan, there = seen.plan["gateway"]["wan_interface"], seen.facts["interfaces"]
    if wan not in there:
        yield f"flock.wan_interface is {wan}: expected an interface of this host ({', '.join(sorted(there))})"
    elif seen.facts["interfaces"][wan]["master"]:
        master = seen.facts["interfaces"][wan]["master"]
        yield f"flock.wan_interface is {wan}, which is a port of {master}: expected the interface that has the address"
    elif seen.facts["default_interfaces"] and wan not in seen.facts["default_interfaces"]:
        ways = ", ".join(seen.facts["default_interfaces"])
        yield f"flock.wan_interface is {wan}: expected the interface of the default route ({ways})"
    if wan == seen.plan["interface"]:
        yield f"flock.wan_interface is {wan}: expected another interface than the flocking VLAN's"


def _kernel(seen: Seen) -> Iterator[str]:
    hints = dict.fromkeys(("nf_tables", "nf_conntrack", "nfnetlink_log"), "")
    if seen.options["tc"]:
        hints.update(dict.fromkeys(("cls_flower", "sch_ingress", "act_gact"), ", or gateway_tc false"))
    if seen.options["flowtable"]:
        hints["nft_flow_offload"] = ", or gateway_flowtable false"
    for module, hint in hints.items():
        if not seen.facts["modules"][module]:
            yield f"the kernel has no module {module}: expected it for the gateway's rules{hint}"


def _earlier_rules(seen: Seen) -> Iterator[str]:
    """Refuse what the load would: a rule before the flock's that leads its packets past them."""
    first = seen.options["rule_priority"]
    for priority in seen.facts["open_rules"]:
        if priority < first:
            yield (
                f"gateway_rule_priority is {first}: expected less than {priority}, "
                f"where a policy rule of this host sends every packet to the table main, past the flock's rules"
            )


def _policy_rules(seen: Seen) -> Iterator[str]:
    first, table = seen.options["rule_priority"], seen.options["route_table"]
    for taken in seen.facts["rule_priorities"]:
        if KINDS["rule_priority"].fits(first) and first - 1 <= taken < first + 7:
            yield f"gateway_rule_priority is {first}: expected {first - 1} to {first + 6} to be free, and {taken} is not"
    if seen.facts["routes_in_table"]:
        yield f"gateway_route_table is {table}: expected a table without routes of the site's"
