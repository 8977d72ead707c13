# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway with many interfaces, each with a neighbour; and what gets from one to another."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import frames, namespaces

from . import topology

VLAN, WAN, LAN = topology.VLAN, "wan", "em1"
_TUNSETIFF, _IFF_TUN_NO_PI = 0x400454CA, 0x1001
_ETH_P_ALL = 3
_FORCE_RECEIVE_BUFFER = 33
_SWITCHES = Path("/proc/sys/net/ipv4/conf")
_SETTLE = 0.15
_PATIENCE = 20
_numbers = itertools.count()


@dataclass(frozen=True)
class Side:
    """An interface of the gateway: its address, its neighbour's, and who is meant by a forged source from there."""

    interface: str
    own: str
    neighbour: str
    mac: str

    @property
    def is_tunnel(self) -> bool:
        """Return whether it carries packets, not frames."""
        return self.interface.startswith("tun")


SIDES = (
    Side(VLAN, topology.GATEWAY, "10.27.2.220", "02:42:0a:1b:02:dc"),
    Side(WAN, topology.WAN_ADDRESS, topology.INTERNET, "02:00:cb:00:71:80"),
    Side(LAN, "10.27.1.1", topology.MANAGER, "02:00:0a:1b:01:05"),
    Side("mgmt", "10.99.0.1", "10.99.0.7", "02:00:0a:63:00:07"),
    Side("docker0", "172.17.0.1", "172.17.0.5", "02:42:ac:11:00:05"),
    Side("tun0", "10.8.0.1", "10.8.0.6", ""),
    Side("wan2", "192.0.2.1", "192.0.2.80", "02:00:c0:00:02:50"),
    Side("em1.30", "10.30.0.1", "10.30.0.9", "02:00:0a:1e:00:09"),
)
BY_NAME = {side.interface: side for side in SIDES}


class Crossing(NamedTuple):
    """A packet that came in by one interface and left by another."""

    source: str
    target: str
    kind: str


class Crossroads:
    """The gateway's namespace and its neighbours'."""

    def __init__(self, number: int) -> None:
        self._prefix = f"{topology.PREFIX}{os.getpid()}-x{number}-"
        self.gateway = self._name("gateway")
        self.path = str(topology.NETNS / self.gateway)
        self._captures: dict[str, socket.socket | int] = {}

    def _name(self, place: str) -> str:
        return self._prefix + place

    def build(self) -> None:
        """Make the namespaces, links and addresses."""
        topology.command("ip", "netns", "add", self.gateway)
        self.ip("link set lo up")
        for side in SIDES:
            if side.is_tunnel:
                self._tunnel(side)
            else:
                self._link(side)
            self.ip(f"addr add {side.own}/24 dev {side.interface}")
        self.ip(f"route add default via {topology.INTERNET}")
        # Nothing but the role stands in the way.
        self.sysctl({f"{name}/rp_filter": 0 for name in ("all", *BY_NAME)})

    def _link(self, side: Side) -> None:
        place = self._name(side.interface)
        topology.command("ip", "netns", "add", place)
        bridged = side.interface == "docker0"
        port = "veth0" if bridged else side.interface
        mac = f"address {topology.GATEWAY_MAC}" if side.interface == VLAN else ""
        self.ip(f"link add {port} {mac} type veth peer name eth0 address {side.mac} netns {place}")
        if bridged:
            self.ip(f"link add {side.interface} type bridge", f"link set {port} master {side.interface} up")
        self.ip(f"link set {side.interface} up")
        lines = f"link set eth0 up\naddr add {side.neighbour}/24 dev eth0\nroute add default via {side.own}\n"
        topology.command("ip", "-n", place, "-batch", "-", given=lines)
        # What is tried is routing: nobody has to be asked for first.
        self.ip(f"neigh replace {side.neighbour} lladdr {side.mac} nud permanent dev {side.interface}")
        with namespaces.inside(str(topology.NETNS / place)):
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            sock.bind(("eth0", _ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, _FORCE_RECEIVE_BUFFER, 8 << 20)
        sock.setblocking(False)
        self._captures[side.interface] = sock

    def _tunnel(self, side: Side) -> None:
        with namespaces.inside(self.path):
            tunnel = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(tunnel, _TUNSETIFF, struct.pack("16sH22x", side.interface.encode(), _IFF_TUN_NO_PI))
        self._captures[side.interface] = tunnel
        self.ip(f"link set {side.interface} up")

    def destroy(self) -> None:
        """Remove it all."""
        for capture in self._captures.values():
            if isinstance(capture, socket.socket):
                capture.close()
            else:
                os.close(capture)
        for name in (self.gateway, *(self._name(side.interface) for side in SIDES)):
            if (topology.NETNS / name).exists():
                topology.command("ip", "netns", "del", name)

    def ip(self, *lines: str) -> None:
        """Run lines of the ip command on the gateway."""
        topology.command("ip", "-n", self.gateway, "-batch", "-", given="\n".join([*lines, ""]))

    def nft(self, rules: str) -> None:
        """Load rules on the gateway."""
        topology.command("ip", "netns", "exec", self.gateway, "nft", "-f", "-", given=rules)

    def sysctl(self, settings: dict[str, int]) -> None:
        """Set switches below net.ipv4.conf on the gateway."""
        with namespaces.inside(self.path):
            for key, value in settings.items():
                (_SWITCHES / key).write_text(str(value))

    def switch(self, name: str, key: str = "forwarding") -> str:
        """Return a switch of the gateway's."""
        with namespaces.inside(self.path):
            return (_SWITCHES / name / key).read_text().strip()

    def _mac(self, interface: str) -> str:
        with namespaces.inside(self.path), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            found = fcntl.ioctl(sock, 0x8927, struct.pack("256s", interface.encode()))[18:24]
        return ":".join(f"{byte:02x}" for byte in found)

    def crossings(self, sources: Iterable[str] = BY_NAME) -> set[Crossing]:
        """Send from each neighbour to every other and to itself, with its own and with others' addresses; return what crosses."""
        for capture in self._captures.values():
            _drain(capture)
        tried: dict[bytes, Crossing] = {}
        for source in (BY_NAME[name] for name in sources):
            gateway = "" if source.is_tunnel else self._mac(source.interface)
            for target in SIDES:
                for words, address in _addresses(source, target).items():
                    for kind in _KINDS:
                        token = f"CROSS{next(_numbers):08d}".encode()
                        tried[token] = Crossing(source.interface, target.interface, f"{kind}, {words}")
                        self._send(source, gateway, _packet(kind, address, target.neighbour, token))
        return self._seen(tried)

    def _seen(self, tried: dict[bytes, Crossing]) -> set[Crossing]:
        """Return what arrives at its target; what a neighbour has sent itself is not taken for it."""
        found = set()
        end = time.monotonic() + _SETTLE
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select(list(self._captures.values()), [], [], left)
            for name in [name for name, capture in self._captures.items() if capture in ready]:
                for packet in _drain(self._captures[name]):
                    at = packet.find(b"CROSS")
                    crossing = tried.get(packet[at : at + 13]) if at >= 0 else None
                    if crossing and crossing.target == name and not self._own(packet, name):
                        found.add(crossing)
        return found

    def _own(self, packet: bytes, name: str) -> bool:
        side = BY_NAME[name]
        return not side.is_tunnel and packet[6:12] == frames.mac_bytes(side.mac)

    def _send(self, source: Side, gateway: str, packet: bytes) -> None:
        out = self._captures[source.interface]
        if isinstance(out, socket.socket):
            self.send(source.interface, frames.ethernet(source.mac, gateway, frames.TYPE_IPV4, packet))
        else:
            os.write(out, packet)

    def send(self, interface: str, frame: bytes) -> None:
        """Send a neighbour's frame."""
        out = self._captures[interface]
        assert isinstance(out, socket.socket)
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                out.send(frame)
            except OSError as error:
                # On a busy machine the kernel's queue between two namespaces fills up.
                if error.errno != errno.ENOBUFS or time.monotonic() > end:
                    raise
                time.sleep(0.01)
            else:
                return

    @contextlib.contextmanager
    def udp(self, interface: str, port: int) -> Iterator[socket.socket]:
        """Return a neighbour's UDP socket."""
        side = BY_NAME[interface]
        with namespaces.inside(str(topology.NETNS / self._name(interface))):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            sock.bind((side.neighbour, port))
            sock.settimeout(2)
            yield sock

    def connects(self, source: str, target: str, port: int) -> bool:
        """Return whether a neighbour's TCP connection to another's port is answered."""
        side = BY_NAME[target]
        with namespaces.inside(str(topology.NETNS / self._name(target))):
            server = socket.create_server((side.neighbour, port))
        with namespaces.inside(str(topology.NETNS / self._name(source))):
            client = socket.socket()
        with server, client:
            client.settimeout(0.5)
            try:
                client.connect((side.neighbour, port))
            except OSError:
                return False
            return True


_KINDS = ("UDP", "SYN", "ACK", "ping")


def _addresses(source: Side, target: Side) -> dict[str, str]:
    """Return the source addresses that are tried from one side to another."""
    insider = next(side for side in SIDES if side not in (source, target))
    beside = target.neighbour.rsplit(".", 1)[0] + ".99"
    return {"own source": source.neighbour, "an insider's source": insider.neighbour, "a source beside the target": beside}


def _packet(kind: str, source: str, target: str, token: bytes) -> bytes:
    if kind == "UDP":
        return frames.ipv4(source, target, frames.UDP, frames.udp(source, target, 9000, 2049, token))
    if kind == "ping":
        return frames.ipv4(source, target, frames.ICMP, frames.icmp(8, 0, token))
    flags = frames.SYN if kind == "SYN" else frames.ACK
    return frames.ipv4(source, target, frames.TCP, frames.tcp(source, target, 9000, 22, payload=token, flags=flags))


def _drain(capture: socket.socket | int) -> list[bytes]:
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(capture.recv(2048) if isinstance(capture, socket.socket) else os.read(capture, 2048))
    return found


@contextlib.contextmanager
def crossroads() -> Iterator[Crossroads]:
    """Build it and take it away again, whatever happens."""
    topology.remove_left_over()
    made = Crossroads(next(_numbers))
    try:
        made.build()
        yield made
    finally:
        made.destroy()
