# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making a network forget what an earlier run left in it: tracked connections and neighbours."""

from __future__ import annotations

import socket
import struct

from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import namespaces

from .topology import Network

_NETLINK_NETFILTER = 12
_DELETE_TRACKED = (1 << 8) | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE; without attributes: all
_REQUEST_ACK = 5


def connections(net: Network, place: str) -> None:
    """Forget all tracked connections of a namespace."""
    with (
        namespaces.inside(net.path(place)),
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as sock,
    ):
        sock.bind((0, 0))
        sock.settimeout(2)
        sock.send(struct.pack("IHHIIBBH", 20, _DELETE_TRACKED, _REQUEST_ACK, 1, 0, 0, 0, 0))
        code = struct.unpack("i", sock.recv(4096)[16:20])[0]
    if code:
        raise OSError(-code, "forgetting tracked connections")


def neighbours(net: Network) -> None:
    """Forget all neighbours that are not permanent."""
    for place in ("submit", "p220", "p221", "f220", "f221", "g220", "rogue"):
        net.ip(place, "neigh flush all\n")


def path_mtus(net: Network) -> None:
    """Forget what ICMP errors have told the ends of a flow about its way."""
    for place in ("f220", "remote"):
        net.ip(place, "route flush cache\n")
