# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The networks that a foreign job may never reach."""

from __future__ import annotations

from collections.abc import Iterable

from .netaddr_library import IPNetwork, cidr_merge

#: Special-purpose IPv4 networks (IANA registry, RFC 6890 and updates) that are not the Internet. The
#: documentation networks are left out: nobody routes them, and test sites use them as their WAN.
SPECIAL_PURPOSE = (
    "0.0.0.0/8",  # this network, RFC 791
    "10.0.0.0/8",  # private, RFC 1918
    "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
    "127.0.0.0/8",  # loopback, RFC 1122
    "169.254.0.0/16",  # link-local, RFC 3927; cloud metadata services
    "172.16.0.0/12",  # private, RFC 1918
    "192.0.0.0/24",  # IETF protocol assignments, RFC 6890
    "192.168.0.0/16",  # private, RFC 1918
    "198.18.0.0/15",  # benchmarking, RFC 2544
    "224.0.0.0/4",  # multicast, RFC 5771
    "240.0.0.0/4",  # reserved and limited broadcast, RFC 1112
)


def denied(own: Iterable[IPNetwork]) -> list[IPNetwork]:
    """Return the special-purpose networks and the site's own ones, without overlaps, in order."""
    merged: list[IPNetwork] = cidr_merge([IPNetwork(net) for net in SPECIAL_PURPOSE] + list(own))
    return merged
