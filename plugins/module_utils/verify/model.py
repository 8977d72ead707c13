# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the parts of the probes hand to each other; everything here turns into JSON and back.

A *place* is a network namespace of a host: ``p220`` (the host's own) or ``f220`` (its container's). A *point* is where a
packet can be seen: ``place:interface:in``, ``place:interface:out``, or ``place:stack`` for what got past all filters
to the place's own IP stack.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

OPEN, CLOSED, REPORT = "open", "closed", "report"
JOB, ROOT = "job", "root"


@dataclass(frozen=True)
class Attempt:
    """One thing that is sent, by whom, and where it may and must be seen.

    Attributes:
        number: index in the run; token and source port follow from it.
        probe: identifier in the catalogue.
        what: in words, for the report.
        sender: place that sends.
        who: JOB or ROOT (root with CAP_NET_RAW and nothing else).
        how: tcp, udp, udp-close (gone before the answer comes), udp6, frame, or none (only watched for).
        expect: OPEN, CLOSED, or REPORT (what is found is only told).
        may: patterns (fnmatch) of points where it may be seen.
        must: patterns of points at each of which it must be seen.
        answered: what the sender has to be told: open, refused, or nothing in particular where empty.
        seen_from: address that the sender has to have at the points in must. With CLOSED: if it is seen there at all.
        kind: of the sightings that must is about, for instance ``error:3/3``.
        forged: it pretends to be somebody else; then a frame seen in passing counts too.
        poison: (address, MAC) that no neighbour table may hold afterwards.
        address, port, payload: for tcp and udp; payload in hexadecimal.
        source: address to send from, where the sender has several.
        interface, frames: for frame, each in hexadecimal.
        claimed: EtherType that the packet socket is told, whatever the frames say; 0: none.
    """

    number: int
    probe: str
    what: str
    sender: str
    who: str
    how: str
    expect: str
    token: str
    source_port: int
    may: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    answered: str = ""
    seen_from: str = ""
    kind: str = ""
    forged: bool = False
    poison: tuple[str, str] | tuple[()] = ()
    address: str = ""
    port: int = 0
    payload: str = ""
    source: str = ""
    interface: str = ""
    frames: tuple[str, ...] = ()
    claimed: int = 0

    def as_dict(self, bulk: bool = True) -> dict[str, Any]:
        """Return it as what JSON can hold, with or without what is sent."""
        data = asdict(self)
        return data if bulk else {**data, "frames": (), "payload": ""}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Attempt:
        """Return what as_dict was made of."""
        tuples = {name: tuple(data[name]) for name in ("may", "must", "poison", "frames")}
        return cls(**{**data, **tuples})


@dataclass(frozen=True)
class Sighting:
    """A packet seen at a point.

    Attributes:
        key: a token, or ``tcp:PORT`` for a source port of the run.
        point: where.
        kind: frame, reply (its TCP ports are turned round) or error:TYPE/CODE (quoted in an ICMP message).
        other: the frame was addressed to another host's MAC.
        source: its IP source address, or an empty text.
        count: how many such were seen.
    """

    key: str
    point: str
    kind: str = "frame"
    other: bool = False
    source: str = ""
    count: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True)
class Sent:
    """What the sender noticed.

    Attributes:
        token: of the attempt.
        sent: something left the sender's socket.
        outcome: open, refused, silent, dropped (by a filter below the socket), unreachable, or the name of an error.
        answer: the text of the answer.
    """

    token: str
    sent: bool
    outcome: str
    answer: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """What one attempt came to: pass, leak, control-failed (something that must work does not) or reported."""

    attempt: Attempt
    result: str
    why: str = ""
