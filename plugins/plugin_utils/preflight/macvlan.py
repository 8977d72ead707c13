# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep containers from being isolated on a node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import values
from .seen import Seen

#: The first kernel whose nftables can filter what leaves by an interface.
EGRESS_HOOK = (5, 16)
KINDS = {
    "subid_start": values.between(65536, 2147418112),
    "bridge": values.INTERFACE,
    "bridge_address": values.ADDRESS_IN_NETWORK,
    "docker_packages": values.PACKAGE,
}
#: What roles/macvlan/files/flock-bridge knows its own link by, and what an earlier version's is known by.
BRIDGE_ALIAS = "sheepfold: bridge of flock-docker.service"
EARLIER_BRIDGE, EARLIER_ADDRESS = "flock0", "192.0.2.1/30"
MODULES = ("cls_flower", "sch_ingress", "act_gact")


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong."""
    if seen.options["state"] == "absent":
        return
    options, host = seen.options, seen.facts["host"]
    yield from values.problems("macvlan", options, KINDS)
    if host["ids_taken"]:
        some = ", ".join(host["ids_taken"][:3])
        yield (
            f"macvlan_subid_start is {options['subid_start']}: expected the first of 65536 ids that are nobody's on {seen.host},"
            f" and there is {some}"
        )
    if host["user_namespaces"] <= 0:
        yield (
            f"sysctl user.max_user_namespaces of {seen.host} is {host['user_namespaces']}: expected more than 0, because root in"
            " the container must be nobody on the node"
        )
    if host["dockerd"] and not host["docker"]:
        yield (
            f"{seen.host} has {host['dockerd']} and no docker: expected Docker's client beside it (Debian 13: package docker-cli)"
        )
    runtime = seen.plan["container"]["runtime"]
    if runtime and runtime not in options["runtimes"]:
        yield (
            f"flock.container.runtime is '{runtime}': expected a key of macvlan_runtimes ({', '.join(options['runtimes'])}), or"
            " nothing"
        )
    yield from _bridge(options["bridge"], seen.facts["network"]["interfaces"])
    yield from _port_filter(seen.facts["network"])


def warnings(seen: Seen) -> Iterator[str]:
    """Yield what the site's administrators should know before they go on."""
    if seen.options["state"] == "absent":
        return
    for domain in seen.facts["host"]["ids_of_directories"]:
        yield (
            f"macvlan_subid_start is {seen.options['subid_start']}: SSSD of {seen.host} may give an id of these to an account of"
            f" the domain {domain}, which a container's user would then be; choose 65536 ids outside its range"
        )


def _bridge(name: str, interfaces: Mapping[str, Any]) -> Iterator[str]:
    """Refuse a link that the engine's unit would not take: one that it has not made."""
    if name not in interfaces:
        return
    link = interfaces[name]
    is_bridge = link["ports"] is not None
    is_earlier = (
        name == EARLIER_BRIDGE and not link["alias"] and not link["ports"] and set(link["addresses"]) <= {EARLIER_ADDRESS}
    )
    if not (is_bridge and (link["alias"] == BRIDGE_ALIAS or is_earlier)):
        yield f"macvlan_bridge is '{name}', which this host already has: expected the name of a bridge that the flock alone has"


def _port_filter(network: Mapping[str, Any]) -> Iterator[str]:
    release = network["kernel"]
    found = re.match(r"([0-9]+)[.]([0-9]+)", release)
    if found is None or (int(found[1]), int(found[2])) < EGRESS_HOOK:
        yield f"the kernel is {release}: expected 5.16 or later, whose nftables can filter what leaves by an interface"
    elif not network["nft"]["installed"]:
        yield "nft is missing: expected the package nftables"
    elif network["nft"]["error"]:
        yield f"nftables refuses a chain at the egress hook: expected it to be taken ({network['nft']['error']})"
    for module in MODULES:
        if not network["modules"][module]:
            yield f"the kernel has no module {module}: expected it for the filter at the node's port"
