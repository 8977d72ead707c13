# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep the probes from being run."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from .seen import Seen

_PORTS = range(1, 65536)


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong with the play's hosts."""
    if seen.options["state"] == "absent":
        return
    hosts, gateways = seen.facts["hosts"], seen.groups.get("flock_gateway", ())
    if not set(gateways) & set(hosts):
        yield (
            f"the play's hosts are {', '.join(hosts)}: expected the gateway {', '.join(gateways)} among them, where the probes"
            " must be seen to end"
        )
    if not set(seen.groups.get("flock_nodes", ())) & set(hosts):
        yield (
            f"the play's hosts are {', '.join(hosts)}: expected a compute node of group flock_nodes among them, because without"
            " one nothing is proved"
        )
    if seen.facts["batch_size"] < 1:
        yield (
            f"the play has the gateway and {seen.facts['others'] - 1} targets: expected at most 18 targets, so that every packet"
            " can be told from the others"
        )
    if not 0 <= seen.options["settle"] < seen.options["seconds"]:
        yield (
            f"verify_settle is {seen.options['settle']} and verify_seconds {seen.options['seconds']}: expected 0 or more, and the"
            " captures to last longer than the wait for answers"
        )
    for target in seen.options["targets"]:
        yield from _target(target, seen)


def _target(target: Mapping[str, Any], seen: Seen) -> Iterator[str]:
    address, host = target.get("address"), target.get("host")
    try:
        ipaddress.IPv4Address(str(address))
    except ValueError:
        # Without an address a sentence about the option's type says so already.
        if address is not None:
            yield f"verify_targets has the address '{address}': expected an IPv4 address"
    if host is not None and host not in seen.groups.get("all", ()):
        yield f"verify_targets has the host '{host}': expected a host of the inventory, or none where nobody watches"
    for kind in ("tcp", "udp"):
        for port in target.get(kind) or ():
            if isinstance(port, int) and port not in _PORTS:
                yield f"verify_targets has the {kind} port {port}: expected 1 to 65535"
