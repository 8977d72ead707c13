# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Marks by which a capture recognises what a probe sent.

A token is 8 lower-case letters and digits, so that it fits into the smallest fragment and into a DNS label:
``shf``, two characters of the run, three of the attempt. A TCP connection of an unprivileged sender carries nothing
in its first packet: there the source port is the mark, from a range that belongs to the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MARK = "shf"
RUNS = len(DIGITS) ** 2
# Below the ports that the kernel hands out by itself (net.ipv4.ip_local_port_range starts at 32768).
FIRST_PORT = 10000
PORTS_PER_RUN = 1000
PORT_RANGES = 20


def _digits(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return text


def run_mark(run: int) -> str:
    """Return the five characters that all tokens of a run begin with."""
    return MARK + _digits(run % RUNS, 2)


def token(run: int, index: int) -> str:
    """Return the token of one attempt of a run."""
    if not 0 <= index < len(DIGITS) ** 3:
        raise ValueError(f"attempt {index}: expected less than {len(DIGITS) ** 3}")
    return run_mark(run) + _digits(index, 3)


def source_port(run: int, index: int) -> int:
    """Return the TCP source port of one attempt of a run."""
    if not 0 <= index < PORTS_PER_RUN:
        raise ValueError(f"attempt {index}: expected less than {PORTS_PER_RUN}")
    return first_port(run) + index


def first_port(run: int) -> int:
    """Return the first of the ports that belong to a run."""
    return FIRST_PORT + (run % PORT_RANGES) * PORTS_PER_RUN


def pattern(runs: Iterable[int]) -> re.Pattern[bytes]:
    """Return what matches the tokens of some runs in a frame's bytes."""
    return re.compile(b"(?:" + b"|".join(run_mark(run).encode() for run in runs) + b")[0-9a-z]{3}")


def ports(runs: Iterable[int]) -> frozenset[int]:
    """Return the source ports of some runs."""
    return frozenset(first_port(run) + index for run in runs for index in range(PORTS_PER_RUN))
