# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probes: what is sent and what is expected, in words. Numbers are those of docs/security.md's table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Probe:
    """One line of the report.

    Attributes:
        name: identifier.
        number: in the table of the documentation.
        title: what is tried.
        sent: what goes out.
        expected: what has to come of it.
        forged: somebody else's address is used, which a live site's monitoring may take for an attack.
    """

    name: str
    number: int
    title: str
    sent: str
    expected: str
    forged: bool = False


PROBES = (
    Probe("canary", 0, "the captures see", "UDP from the node itself to every watched host", "seen"),
    Probe("node", 1, "the node's and its siblings' own addresses", "TCP, UDP, ICMP; by the gateway and by MAC", "nothing there"),
    Probe("private", 2, "private hosts", "TCP and UDP to ssh, DNS, portmap, LDAP, NFS, Ceph, databases; ICMP", "nothing there"),
    Probe("gateway", 3, "the gateway's services, each of its addresses", "TCP, UDP, ICMP", "nothing there"),
    Probe("allowed", 4, "what is meant to work", "central manager, internet host, ICMP, path errors", "open"),
    Probe("sibling", 5, "sibling containers, same and other node", "TCP, UDP, ICMP; by MAC and by the gateway", "nothing there"),
    Probe("metadata", 6, "cloud metadata services", "TCP and UDP to 169.254.169.254, 100.100.100.200", "nothing there"),
    Probe("ipv6", 7, "IPv6", "all-nodes, link-local addresses, any source address", "nothing there"),
    Probe("advertisement", 7, "rogue router", "IPv6 router advertisement", "nothing there", forged=True),
    Probe("arp", 8, "ARP", "requests for private addresses and siblings", "no answer"),
    Probe(
        "poison",
        8,
        "ARP poisoning",
        "replies and gratuitous ARP for gateway and sibling, ICMP redirect",
        "tables clean",
        forged=True,
    ),
    Probe(
        "spoof", 9, "false source", "IP of sibling, private, public, gateway; false MAC", "does not leave the node", forged=True
    ),
    Probe("weak-host", 10, "a node as a router", "packets to the MAC of own and sibling node", "not forwarded"),
    Probe("protocols", 11, "other protocols", "GRE, SCTP, IPIP, ESP, IGMP, IPv6 in IPv4", "nothing there"),
    Probe("options", 11, "IP options", "loose and strict source route", "nothing there"),
    Probe(
        "tags", 11, "other Ethernet", "802.1Q and QinQ tags, spanning tree, unknown types", "does not leave the node", forged=True
    ),
    Probe("fragments", 12, "fragments", "long datagrams, large ICMP, tiny and overlapping ones", "does not leave the node"),
    Probe("broadcast", 13, "broadcast and multicast", "subnet and global broadcast, mDNS, LLMNR, DHCP, SSDP", "nothing there"),
    Probe("dns", 14, "name service", "a unique name to the flock's resolvers", "open, and never seen elsewhere"),
    Probe("rebinding", 14, "public name of a private address", "connection to the address it resolves to", "nothing there"),
    Probe("dns-tunnel", 15, "another resolver", "a query to another host's port 53", "told: accepted egress"),
    Probe("inbound", 16, "into the container", "TCP, UDP, ICMP from the WAN and the private network", "nothing there"),
    Probe("outbound", 16, "from the gateway's services into the container", "TCP and UDP, not to HTCondor", "does not leave"),
    Probe(
        "router",
        16,
        "the gateway as others' router",
        "between the WAN and private hosts; each pair of its interfaces",
        "nothing there",
    ),
    Probe("command-port", 16, "WAN to the pool's port", "TCP 9618 from a listed and an unlisted access point", "only the listed"),
    Probe("source", 17, "the flock's addresses outside", "packets without a connection; and all that passes", "none"),
    Probe("limits", 0, "one container's share", "bursts of connections and of data", "bounded"),
    Probe(
        "member",
        0,
        "a VLAN member without a port filter",
        "everything above, at gateway, nodes and containers",
        "nothing there",
        forged=True,
    ),
    Probe("inside", 18, "the container's inside", "sockets, namespaces, bpf, io_uring", "denied"),
    Probe("rights", 19, "the job's rights", "capabilities, root file system, token, master", "denied"),
)

BY_NAME = {probe.name: probe for probe in PROBES}
