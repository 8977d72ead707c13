# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Byte strings of any content in one: its length, then each with its own length before it."""

from __future__ import annotations

import os

LONGEST = 4 << 20
"""More than the kernel lets a program have of words and environment by default (execve(2))."""
INT = 4


def pack(fields: list[bytes]) -> bytes:
    """Fields as one byte string, its length first."""
    data = body(fields)
    return len(data).to_bytes(INT, "big") + data


def body(fields: list[bytes]) -> bytes:
    """The same without its length: a field of other fields."""
    return b"".join(len(field).to_bytes(INT, "big") + field for field in fields)


def unpack(data: bytes) -> list[bytes]:
    """The fields of a byte string without its length. Raises ValueError when one is cut short."""
    fields, at = [], 0
    while at < len(data):
        start = at + INT
        at = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or at > len(data):
            raise ValueError("a field is cut short")
        fields.append(data[start:at])
    return fields


def program_fields(words: list[bytes], environment: dict[bytes, bytes]) -> list[bytes]:
    """A program's words and environment as fields."""
    fields = [str(len(words)).encode(), *words]
    for name, value in environment.items():
        fields += [name, value]
    return fields


def program_of(fields: list[bytes]) -> tuple[list[bytes], dict[bytes, bytes]]:
    """The words and the environment that fields tell of. Raises ValueError when they tell of none."""
    if not fields or not fields[0].isdigit():
        raise ValueError("fields are missing")
    count = int(fields[0])
    words, pairs = fields[1 : 1 + count], fields[1 + count :]
    if len(words) != count or count == 0 or len(pairs) % 2 or any(b"\0" in field for field in fields):
        raise ValueError("its words or its environment make no sense")
    return words, dict(zip(pairs[::2], pairs[1::2]))


def read(reader: int) -> list[bytes]:
    """The fields that come on a stream. Raises OSError, or ValueError when they are cut short or too long."""
    length = int.from_bytes(_exactly(reader, INT), "big")
    if length > LONGEST:
        raise ValueError(f"expected at most {LONGEST} bytes")
    return unpack(_exactly(reader, length))


def _exactly(reader: int, count: int) -> bytes:
    chunks = []
    while count:
        chunk = os.read(reader, min(count, 1 << 16))
        if not chunk:
            raise ValueError("it is cut short")
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)
