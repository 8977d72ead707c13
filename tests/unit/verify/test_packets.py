# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens, frames, and recognising them again."""

from __future__ import annotations

import socket
import struct

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import frames, markers
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets.capture import Reader
from hypothesis import given
from hypothesis import strategies as st

A, B = "10.27.2.220", "10.27.1.10"
TOKEN = markers.token(7, 42).encode()


@given(st.integers(0, markers.RUNS - 1), st.integers(0, markers.PORTS_PER_RUN - 1))
def test_a_token_is_found_by_its_run_only(run: int, index: int) -> None:
    text = markers.token(run, index).encode()
    assert len(text) == 8
    assert markers.pattern([run]).findall(b"x" + text + b"y") == [text]
    assert not markers.pattern([(run + 1) % markers.RUNS]).findall(text)


@given(st.integers(0, 5000))
def test_twenty_runs_have_ports_of_their_own(run: int) -> None:
    ranges = [markers.ports([run + step]) for step in range(markers.PORT_RANGES)]
    assert len(frozenset().union(*ranges)) == sum(len(one) for one in ranges)
    assert max(max(one) for one in ranges) < 32768


@pytest.mark.parametrize("index", [-1, 36**3])
def test_too_many_attempts(index: int) -> None:
    with pytest.raises(ValueError, match="expected less than"):
        markers.token(0, index)


@given(st.binary(max_size=99))
def test_a_packet_with_its_checksum_sums_up_to_nothing(payload: bytes) -> None:
    packet = frames.ipv4(A, B, frames.UDP, frames.udp(A, B, 1, 2, payload))
    assert frames.checksum(packet[:20]) == 0
    pseudo = socket.inet_aton(A) + socket.inet_aton(B) + struct.pack("!BBH", 0, 17, len(packet) - 20)
    assert frames.checksum(pseudo + packet[20:]) in (0, 0xFFFF)


def test_options_are_padded() -> None:
    packet = frames.ipv4(A, B, frames.UDP, b"", options=frames.loose_source_route([B]))
    assert packet[0] == 0x47
    assert packet[21:24] == bytes([131, 7, 4])
    assert frames.checksum(packet[:28]) == 0


def test_link_local() -> None:
    assert frames.link_local("52:54:00:fe:1b:02") == "fe80::5054:ff:fefe:1b02"


def seen(packet: bytes, kind: int = frames.TYPE_IPV4) -> list[tuple[str, str, str]]:
    return sorted(Reader([7]).frame(kind, packet))


def test_a_datagram_is_recognised() -> None:
    packet = frames.ipv4(A, B, frames.UDP, frames.udp(A, B, 1, 2, TOKEN))
    assert seen(packet) == [(TOKEN.decode(), "frame", A)]


def test_a_segment_is_recognised_both_ways() -> None:
    port = markers.source_port(7, 42)
    there = frames.ipv4(A, B, frames.TCP, frames.tcp(A, B, port, 22))
    back = frames.ipv4(B, A, frames.TCP, frames.tcp(B, A, 22, port))
    assert seen(there) == [(f"tcp:{port}", "frame", A)]
    assert seen(back) == [(f"tcp:{port}", "reply", B)]
    assert not seen(frames.ipv4(A, B, frames.TCP, frames.tcp(A, B, 22, 22)))


def test_what_an_icmp_error_quotes_is_recognised_as_such() -> None:
    port = markers.source_port(7, 42)
    quoted = frames.ipv4(A, B, frames.TCP, frames.tcp(A, B, port, 22, payload=TOKEN))
    packet = frames.ipv4("10.27.2.1", A, frames.ICMP, frames.icmp(3, 1, quoted, 0, 0))
    assert seen(packet) == [(TOKEN.decode(), "error:3/1", "10.27.2.1"), (f"tcp:{port}", "error:3/1", "10.27.2.1")]


def test_a_later_fragment_is_no_segment() -> None:
    port = markers.source_port(7, 42)
    packet = frames.ipv4(A, B, frames.TCP, struct.pack("!HH", port, 22) + TOKEN, flags=3)
    assert seen(packet) == [(TOKEN.decode(), "frame", A)]


def test_arp_and_ipv6_are_recognised() -> None:
    message = frames.arp(1, "02:42:0a:1b:02:dc", A, "00:00:00:00:00:00", B, token=TOKEN)
    assert seen(message, frames.TYPE_ARP) == [(TOKEN.decode(), "frame", A)]
    body = frames.router_advertisement("fe80::1", "ff02::1", "02:42:0a:1b:02:dc", "2001:db8::", TOKEN)
    packet = frames.ipv6("fe80::1", "ff02::1", frames.ICMPV6, body)
    assert seen(packet, frames.TYPE_IPV6) == [(TOKEN.decode(), "frame", "fe80::1")]


@given(st.binary(max_size=80), st.sampled_from([frames.TYPE_IPV4, frames.TYPE_IPV6, frames.TYPE_ARP, 0x88CC]))
def test_any_bytes_can_be_read(data: bytes, kind: int) -> None:
    assert isinstance(Reader([7]).frame(kind, data), list)
