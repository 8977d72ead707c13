# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a gateway's surroundings do to the flock's rules that the rules cannot see."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network

from .seen import Seen

#: Where nobody on the Internet is (RFC 1918, 6598, 3927, 1122).
_PRIVATE = tuple(
    map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"))
)
#: Seconds that the kernel keeps an address that nobody answers for.
_UNANSWERED = 3


def warnings(seen: Seen) -> Iterator[str]:
    """Yield what the site's administrators should know before they go on."""
    if seen.options["state"] == "absent":
        return
    yield from _neighbours_of_the_wan(seen)
    yield from _other_ways_in(seen)
    if seen.facts["ipsec_policies"]:
        yield (
            f"{seen.host} has {seen.facts['ipsec_policies']} IPsec policies, whose tunnels have no route: networks behind them"
            " look like the Internet to the flock's rules unless flock.public_networks or flock.private_networks has them"
        )
    if seen.facts["helpers"]:
        yield (
            f"{seen.host} has helpers of connection tracking ({', '.join(seen.facts['helpers'])}): flows that they expect, as"
            " those of passive FTP, are dropped where a container began them"
        )


def _networks(seen: Seen, interface: str) -> list[IPv4Network]:
    """Return the networks on an interface's link."""
    addresses = seen.facts["interfaces"].get(interface, {}).get("addresses", ())
    found = dict.fromkeys(IPv4Interface(address).network for address in addresses)
    return [network for network in found if network.prefixlen < 31]


def _is_denied(seen: Seen, network: IPv4Network) -> bool:
    return any(network.subnet_of(IPv4Network(each)) for each in seen.plan["denied"])


def _neighbours_of_the_wan(seen: Seen) -> Iterator[str]:
    wan, limit = seen.plan["gateway"]["wan_interface"], seen.facts["gc_thresh3"]
    for network in _networks(seen, wan):
        if _is_denied(seen, network):
            continue
        yield (
            f"flock.public_networks does not have {network}, the network of {wan} on {seen.host}: containers reach its hosts, and"
            " the router, from the gateway's own address"
        )
        asked = seen.options["new_flows_burst"] + _UNANSWERED * seen.options["new_flows_per_second"]
        absent = min(network.num_addresses, len(seen.plan["nodes"]) * asked)
        if limit and absent > limit // 2:
            yield (
                f"sysctl net.ipv4.neigh.default.gc_thresh3 of {seen.host} is {limit}: containers may ask for {absent} absent"
                f" neighbours in {network} at a time, and the table serves the site's networks too; expected {2 * absent} or"
                " more, or that network in flock.public_networks"
            )


def _other_ways_in(seen: Seen) -> Iterator[str]:
    """Name the interfaces from the Internet that the filter of HTCondor's port does not know: they have no default route."""
    known = {seen.plan["gateway"]["wan_interface"], seen.plan["interface"], *seen.facts["default_interfaces"]}
    if not seen.options.get("wan_filter"):
        return
    for name, link in seen.facts["interfaces"].items():
        public = [address for address in link["addresses"] if not _is_private(seen, address)]
        if name not in known and public:
            yield (
                f"{name} of {seen.host} has the public address {public[0]} and no default route: the filter of HTCondor's port"
                " (gateway_wan_filter) is not on it"
            )


def _is_private(seen: Seen, address: str) -> bool:
    own = IPv4Interface(address).ip
    return any(own in network for network in _PRIVATE) or any(own in IPv4Network(each) for each in seen.plan["denied"])
