# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing from the VLAN fills the memory in which a host puts fragments together: the site's own need it."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.host import nft_state
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import frames, namespaces

from . import harness, topology
from .limits import received, udp
from .topology import Network

CONTAINER = harness.member("f220", "p220", "10.27.2.220", "02:42:0a:1b:02:dc")
MANY = 100
FRAGMENT_HEADER, PORT = 44, 7100


def _memory(net: Network, place: str) -> int:
    """Return what incomplete packets take up in a namespace."""
    with namespaces.inside(net.path(place)):
        text = Path("/proc/thread-self/net/sockstat").read_text()
    return int(re.findall(r"^FRAG: inuse \d+ memory (\d+)$", text, re.MULTILINE)[0])


def _dropped(net: Network) -> dict[str, int]:
    """Return what the gateway's table has dropped before it came to the memory; that of IPv6 is shown nowhere."""
    listed = json.loads(net.nft_json("submit", "list", "chain", "inet", "flock_gateway", "from_vlan"))["nftables"]
    counted = nft_state.counters(listed, "submit")
    return {name: counted[f"submit:counter:{name}"] for name in ("fragments", "IPv6")}


def _send(net: Network, place: str, interface: str, packets: list[bytes]) -> None:
    with (
        namespaces.inside(net.path(place)),
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock,
    ):
        sock.bind((interface, 0))
        for packet in packets:
            kind = frames.TYPE_IPV6 if packet[0] >> 4 == 6 else frames.TYPE_IPV4
            try:
                sock.send(frames.ethernet(CONTAINER.mac, topology.GATEWAY_MAC, kind, packet))
            except OSError:  # dropped by the node's filter
                continue


def _first_fragments() -> list[bytes]:
    """Return beginnings of packets that never get their ends, of both families."""
    begins = [
        frames.ipv4(CONTAINER.address, topology.INTERNET, frames.UDP, b"\0" * 1400, flags=frames.MORE_FRAGMENTS, ident=number)
        for number in range(MANY)
    ]
    for number in range(MANY):
        head = bytes([frames.UDP, 0, 0, 1]) + number.to_bytes(4, "big")
        begins.append(frames.ipv6(topology.ROGUE6, topology.GATEWAY6, FRAGMENT_HEADER, head + b"\0" * 1392))
    return begins


def test_a_containers_beginnings_without_an_end_take_up_no_memory(network: Network) -> None:
    _send(network, "f220", "eth0", _first_fragments())
    assert _memory(network, "submit") == _memory(network, "p220") == 0


def test_nor_do_those_of_a_member_of_the_vlan_without_a_port_filter(network: Network) -> None:
    before = _dropped(network)
    _send(network, "rogue", "eth0", _first_fragments())
    assert _memory(network, "submit") == 0
    assert {name: count - before[name] for name, count in _dropped(network).items()} == {"fragments": MANY, "IPv6": MANY}


def test_the_site_and_the_answers_keep_their_fragments(network: Network) -> None:
    long = b"x" * 4000
    with udp(network, "remote", topology.INTERNET, PORT) as server:
        with udp(network, "storage") as site:
            site.sendto(long, (topology.INTERNET, PORT))
            assert [len(piece) for piece in received(server)] == [len(long)]
        with udp(network, "f220") as container:
            container.sendto(long, (topology.INTERNET, PORT))
            assert not received(server)
            container.sendto(b"ask", (topology.INTERNET, PORT))
            server.settimeout(2)
            server.sendto(long, server.recvfrom(100)[1])
            container.settimeout(2)
            assert container.recv(5000) == long
