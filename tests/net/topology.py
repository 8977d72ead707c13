# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site in network namespaces of this host.

             lan (10.27.1.0/24)                    vlan (10.27.2.0/24)                wan (203.0.113.0/24)
    submit ──em1─┤                        submit ──em1.2512─┤                 submit ──wan─┤
    p220   ──em1─┤                        p220   ──em1.2512─┤── macvlan f220, g220   remote ──wan─┤
    p221   ──em1─┤                        p221   ──em1.2512─┤── macvlan f221
    storage──em1─┤                        rogue  ──eth0─────┤  (no port filter)
    manager──em1─┤

This host's kernel may lack 8021q: each host has one veth pair per network, and the one on the flocking VLAN has the
name that the VLAN's subinterface has on a real host.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import namespaces

VLAN = "em1.2512"
SWITCH = {"lan": "em1", "vlan": VLAN, "wan": "wan"}
SUBNET = "10.27.2.0/24"
GATEWAY = "10.27.2.1"
GATEWAY_MAC = "02:42:0a:1b:02:01"
WAN_ADDRESS = "203.0.113.1"
LISTED, UNLISTED, RESOLVER, INTERNET = "203.0.113.9", "203.0.113.10", "203.0.113.53", "203.0.113.80"
STORAGE, MANAGER, PUBLIC_PRIVATE = "10.27.1.10", "10.27.1.5", "198.51.100.10"
# Private addresses of somebody else's network, by way of the WAN.
PROVIDER = "192.168.77.1"
# A router there, which is only heard.
INNER = "192.168.77.2"
# Reached by the gateway's private side, but described nowhere.
FORGOTTEN = "192.0.2.10"
ROGUE6, GATEWAY6, WAN6, INTERNET6 = "2001:db8:2::66", "2001:db8:2::1", "2001:db8:9::1", "2001:db8:9::80"
METADATA = ("169.254.169.254", "100.100.100.200")
PRIVATE_MACS = {
    name: f"02:00:0a:1b:01:{last:02x}"
    for name, last in {"submit": 1, "manager": 5, "storage": 10, "p220": 220, "p221": 221}.items()
}
WAN_MACS = {"submit": "02:00:cb:00:71:01", "remote": "02:00:cb:00:71:09"}
NODE_MACS = {"p220": "02:00:0a:1b:02:20", "p221": "02:00:0a:1b:02:21"}
ROGUE, ROGUE_MAC = "10.27.2.66", "02:00:0a:1b:02:66"
# A container on p220 that is not the node's flocking container.
STRAY, STRAY_MAC = "10.27.2.99", "02:42:0a:1b:02:63"
PLACES = ("switch", "submit", "p220", "p221", "f220", "f221", "g220", "storage", "manager", "remote", "rogue")
NETNS = Path("/run/netns")
PREFIX = "sheepfold-"

_numbers = itertools.count()


def command(*words: str, given: str = "") -> str:
    """Run a command and return what it prints; what it says when it fails is in the exception."""
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Network:
    """The namespaces, by place."""

    def __init__(self, macvlan_mode: str) -> None:
        self._prefix = f"{PREFIX}{os.getpid()}-{next(_numbers)}-"
        self.macvlan_mode = macvlan_mode

    def name(self, place: str) -> str:
        return self._prefix + place

    def path(self, place: str) -> str:
        return str(NETNS / self.name(place))

    @property
    def paths(self) -> dict[str, str]:
        """Return the namespaces that are watched: all but the switch."""
        return {place: self.path(place) for place in PLACES if place != "switch"}

    def ip(self, place: str, lines: str) -> None:
        """Run lines of the ip command in a namespace."""
        command("ip", "-n", self.name(place), "-batch", "-", given=lines)

    def nft(self, place: str, rules: str) -> None:
        """Load a ruleset in a namespace."""
        command("ip", "netns", "exec", self.name(place), "nft", "-f", "-", given=rules)

    def nft_json(self, place: str, *words: str) -> str:
        """Return what nft says as JSON in a namespace."""
        return command("ip", "netns", "exec", self.name(place), "nft", "-j", *words)

    def sysctl(self, place: str, settings: Mapping[str, int]) -> None:
        """Set sysctls; keys are paths below /proc/sys/net."""
        with namespaces.inside(self.path(place)):
            for key, value in settings.items():
                (Path("/proc/sys/net") / key).write_text(str(value))

    def build(self) -> None:
        """Make the namespaces, links and addresses."""
        for place in PLACES:
            command("ip", "netns", "add", self.name(place))
            # No duplicate address detection: link-local addresses are there at once.
            self.sysctl(place, {"ipv6/conf/default/accept_dad": 0, "ipv4/icmp_ratelimit": 0, "ipv4/icmp_msgs_per_sec": 100000})
        self.sysctl("switch", {"ipv6/conf/all/disable_ipv6": 1, "ipv6/conf/default/disable_ipv6": 1})
        bridges = "".join(
            f"link add {net} type bridge stp_state 0 mcast_snooping 0\nlink set {net} up\n" for net in ("lan", "vlan", "wan")
        )
        self.ip("switch", bridges)
        for place, mac in PRIVATE_MACS.items():
            self._plug("lan", place, "em1", mac)
        for place, mac in {"submit": GATEWAY_MAC, **NODE_MACS}.items():
            self._plug("vlan", place, VLAN, mac)
        self._plug("vlan", "rogue", "eth0", ROGUE_MAC)
        for place, mac in WAN_MACS.items():
            self._plug("wan", place, "wan", mac)
        for place in PLACES:
            self.ip(place, "link set lo up\n")
        self._addresses()
        self._containers()
        self._fixed_switch()

    def _plug(self, net: str, place: str, interface: str, mac: str) -> None:
        port = f"{net}-{place}"
        line = f"link add {port} type veth peer name {interface} address {mac} netns {self.name(place)}\n"
        self.ip("switch", line + f"link set {port} master {net} up\n")
        self.ip(place, f"link set {interface} up\n")

    def _addresses(self) -> None:
        self.ip(
            "submit",
            f"addr add 10.27.1.1/24 dev em1\naddr add {GATEWAY}/24 dev {VLAN}\naddr add {WAN_ADDRESS}/24 dev wan\n"
            f"route add default via {INTERNET}\nroute add 198.51.100.0/24 via {STORAGE}\nroute add {FORGOTTEN}/32 via {STORAGE}\n"
            + "".join(f"route add {address}/32 via {STORAGE}\n" for address in METADATA),
        )
        for place, address in (("p220", "10.27.1.220"), ("p221", "10.27.1.221"), ("manager", MANAGER), ("storage", STORAGE)):
            self.ip(place, f"addr add {address}/24 dev em1\nroute add default via 10.27.1.1\n")
        more = (PUBLIC_PRIVATE, FORGOTTEN, *METADATA)
        self.ip("storage", "".join(f"addr add {address}/32 dev em1\n" for address in more))
        wan = "".join(f"addr add {address}/24 dev wan\n" for address in (LISTED, UNLISTED, RESOLVER, INTERNET))
        self.ip("remote", wan + f"addr add {PROVIDER}/32 dev wan\n")
        self.ip("submit", f"addr add {GATEWAY6}/64 dev {VLAN} nodad\naddr add {WAN6}/64 dev wan nodad\n")
        self.ip("remote", f"addr add {INTERNET6}/64 dev wan nodad\nroute add default via {WAN6}\n")
        self.ip("rogue", f"addr add {ROGUE}/24 dev eth0\nroute add default via {GATEWAY}\n")

    def _containers(self) -> None:
        for node, place, address, mac in (
            ("p220", "f220", "10.27.2.220", "02:42:0a:1b:02:dc"),
            ("p221", "f221", "10.27.2.221", "02:42:0a:1b:02:dd"),
            ("p220", "g220", STRAY, STRAY_MAC),
        ):
            kind = f"type macvlan mode {self.macvlan_mode}"
            self.ip(node, f"link add eth0 link {VLAN} address {mac} netns {self.name(place)} {kind}\n")
            self.ip(place, f"link set eth0 up\naddr add {address}/24 dev eth0\nroute add default via {GATEWAY}\n")

    def _fixed_switch(self) -> None:
        """Tie each MAC to its port: what is tried here are filters, not the switch's learning."""
        ports = {
            GATEWAY_MAC: "vlan-submit",
            NODE_MACS["p220"]: "vlan-p220",
            "02:42:0a:1b:02:dc": "vlan-p220",
            STRAY_MAC: "vlan-p220",
            NODE_MACS["p221"]: "vlan-p221",
            "02:42:0a:1b:02:dd": "vlan-p221",
            ROGUE_MAC: "vlan-rogue",
        }
        lines = "".join(f"fdb replace {mac} dev {port} master static sticky\n" for mac, port in ports.items())
        command("bridge", "-n", self.name("switch"), "-batch", "-", given=lines)

    def destroy(self) -> None:
        """Remove the namespaces and all that is in them."""
        for place in PLACES:
            if (NETNS / self.name(place)).exists():
                command("ip", "netns", "del", self.name(place))


def remove_left_over() -> None:
    """Remove namespaces of earlier runs whose process is gone."""
    for path in NETNS.glob(f"{PREFIX}*"):
        pid = path.name[len(PREFIX) :].split("-", 1)[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            command("ip", "netns", "del", path.name)


@contextlib.contextmanager
def network(macvlan_mode: str = "private") -> Iterator[Network]:
    """Build a network and take it away again, whatever happens."""
    remove_left_over()
    net = Network(macvlan_mode)
    try:
        net.build()
        yield net
    finally:
        net.destroy()


def naive(net: Network, nodes: Iterable[str] = ("p220", "p221")) -> None:
    """Set sysctls as they are where nobody thought about them, and where Docker turned forwarding on."""
    for place in (*nodes, "submit"):
        net.sysctl(
            place,
            {
                "ipv4/ip_forward": 1,
                "ipv6/conf/all/forwarding": 1,
                "ipv4/conf/all/rp_filter": 0,
                f"ipv4/conf/{VLAN}/rp_filter": 0,
                "ipv4/conf/all/accept_source_route": 1,
                f"ipv4/conf/{VLAN}/accept_source_route": 1,
                "ipv4/conf/all/arp_ignore": 0,
                f"ipv4/conf/{VLAN}/arp_ignore": 0,
            },
        )
