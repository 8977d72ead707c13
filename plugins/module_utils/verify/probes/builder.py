# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers attempts and gives each its token and source port."""

from __future__ import annotations

from typing import Any

from ..model import CLOSED, JOB, OPEN, ROOT, Attempt
from ..packets import frames, markers
from .topology import Topology


class Builder:
    """Collects the attempts of one sender; several builders of a run share one list."""

    def __init__(self, run: int, scene: Topology, attempts: list[Attempt], sender: str = "", interface: str = "") -> None:
        """Prepare for a sender: by default the scene's container."""
        self.scene = scene
        self.run = run
        self.attempts = attempts
        self.sender = sender or scene.source.place
        self.interface = interface or scene.source.interface
        source, gateway = scene.source, scene.gateway
        self.own = (f"{self.sender}:*:out", f"{self.sender}:lo:*", f"{self.sender}:stack")
        self.to_gateway = (*self.own, f"{source.node}:{source.vlan}:out", f"{gateway.place}:{gateway.vlan}:in")
        """Where a packet may be seen that is rightly sent to the gateway, which drops it."""
        back = (f"{source.node}:{source.vlan}:*", f"{gateway.place}:{gateway.vlan}:*", f"{self.sender}:*")
        self.with_gateway = (*back, f"{gateway.place}:stack")
        """Where a conversation with the gateway itself may be seen."""
        self.through = (*back, f"{gateway.place}:{gateway.wan}:*")
        """Where a conversation with an internet host may be seen, besides at that host."""

    @property
    def next_token(self) -> str:
        """Return the token that the next attempt will have."""
        return markers.token(self.run, len(self.attempts))

    def add(self, probe: str, what: str, who: str, how: str, expect: str = CLOSED, **more: Any) -> None:
        """Add one attempt."""
        number = len(self.attempts)
        self.attempts.append(
            Attempt(
                number=number,
                probe=probe,
                what=what,
                sender=self.sender,
                who=who,
                how=how,
                expect=expect,
                token=markers.token(self.run, number),
                source_port=markers.source_port(self.run, number),
                **more,
            )
        )

    def tcp(self, probe: str, address: str, port: int, expect: str = CLOSED, what: str = "", **more: Any) -> None:
        """Add a connection by the job's user."""
        more.setdefault("may", self.to_gateway)
        if expect == OPEN:
            more.setdefault("answered", "open")
        self.add(probe, what or f"TCP {address}:{port}", JOB, "tcp", expect, address=address, port=port, **more)

    def udp(self, probe: str, address: str, port: int, expect: str = CLOSED, what: str = "", **more: Any) -> None:
        """Add a datagram by the job's user."""
        more.setdefault("may", self.to_gateway)
        more.setdefault("payload", self.next_token.encode().hex())
        self.add(probe, what or f"UDP {address}:{port}", JOB, "udp", expect, address=address, port=port, **more)

    def raw(self, probe: str, what: str, *built: bytes, expect: str = CLOSED, **more: Any) -> None:
        """Add frames sent by root."""
        more.setdefault("may", self.own)
        data = tuple(frame.hex() for frame in built)
        self.add(probe, what, ROOT, "frame", expect, interface=self.interface, frames=data, **more)

    def ip(self, probe: str, what: str, destination_mac: str, *packets: bytes, **more: Any) -> None:
        """Add IPv4 packets sent by root, from the container's own MAC unless ``mac`` says otherwise."""
        mac = more.pop("mac", self.scene.source.mac)
        built = [frames.ethernet(mac, destination_mac, frames.TYPE_IPV4, packet) for packet in packets]
        self.raw(probe, what, *built, **more)

    def datagram(self, source: str, destination: str, port: int = 9) -> bytes:
        """Return an IPv4 packet with a UDP datagram that holds the next token."""
        payload = self.next_token.encode()
        return frames.ipv4(source, destination, frames.UDP, frames.udp(source, destination, 9000, port, payload))

    def ping(self, source: str, destination: str, kind: int = 8) -> bytes:
        """Return an IPv4 packet with an ICMP echo that holds the next token."""
        return frames.ipv4(source, destination, frames.ICMP, frames.icmp(kind, 0, self.next_token.encode()))

    def segment(self, source: str, destination: str, port: int, flags: int = frames.SYN) -> bytes:
        """Return an IPv4 packet with a TCP segment that holds the next token."""
        number = len(self.attempts)
        data = frames.tcp(
            source, destination, markers.source_port(self.run, number), port, payload=self.next_token.encode(), flags=flags
        )
        return frames.ipv4(source, destination, frames.TCP, data)
