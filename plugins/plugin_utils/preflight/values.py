# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an option's value has to be beyond its type: a number in its range, an address, a name.

A role names the kinds of its options in a table; who writes the value into a file may then take it as it is.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ..role_options import quoted

#: Linux refuses interface names of 16 characters and more (IFNAMSIZ, include/uapi/linux/if.h).
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
#: 4294967295: the largest number of 32 bits.
MOST = 2**32 - 1


@dataclass(frozen=True)
class ValueKind:
    """What is expected of a value, in words and in code."""

    expected: str
    fits: Callable[[Any], bool]


def between(low: float, high: float = MOST, what: str = "") -> ValueKind:
    """Return the kind of numbers from low to high; what they count comes before them in the sentence."""
    return ValueKind(what + (f"{low} to {high}" if high < MOST else f"{low} or more"), lambda value: low <= value <= high)


def matching(pattern: str, expected: str) -> ValueKind:
    """Return the kind of texts that a pattern matches as a whole. A text that is empty is not given."""
    compiled = re.compile(pattern)
    return ValueKind(expected, lambda value: value == "" or bool(compiled.fullmatch(value)))


def _reads(read: Callable[[Any], Any], value: Any) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _host_in_network(value: str) -> bool:
    if not re.fullmatch(r"[0-9.]+/[0-9]{1,2}", value) or not _reads(ipaddress.IPv4Interface, value):
        return False
    found = ipaddress.IPv4Interface(value)
    # A network of two addresses has no other (RFC 3021).
    return found.network.prefixlen >= 31 or found.ip not in (found.network.network_address, found.network.broadcast_address)


ADDRESS = ValueKind("an IPv4 address", lambda value: value == "" or _reads(ipaddress.IPv4Address, value))
NETWORK = ValueKind("an IPv4 address or network", lambda value: _reads(ipaddress.IPv4Network, value))
ADDRESS_IN_NETWORK = ValueKind("an IPv4 address with its prefix length, as 192.0.2.1/30", _host_in_network)
INTERFACE = ValueKind(
    "the name of a network interface: at most 15 letters, digits, dots, hyphens and underscores",
    lambda value: bool(_INTERFACE.fullmatch(value)),
)
COMMAND = ValueKind(
    "a command with its arguments, quoted as a shell has them",
    lambda value: value == "" or (_reads(shlex.split, value) and bool(shlex.split(value))),
)
USER = matching(r"[a-z_][a-z0-9_-]{0,30}", "a user's name")
DOMAIN = matching(r"[A-Za-z0-9][A-Za-z0-9._-]*", "a domain: letters, digits, dots, hyphens and underscores")
PACKAGE = matching(r"[A-Za-z0-9][A-Za-z0-9.+_:~=-]*", "the name of a package")
#: HTCondor's configuration and the shell take these characters as they are.
PATH = matching(r"/[A-Za-z0-9._/@+-]*", "an absolute path of letters, digits and . _ / @ + -")


def problems(role: str, options: Mapping[str, Any], kinds: Mapping[str, ValueKind]) -> Iterator[str]:
    """Yield what is wrong.

    Args:
        role: the role's name.
        options: its options, typed, by their names without the role's.
        kinds: by such a name, or that of a suboption with its option's and a dot before it. Of a list each item is looked at.
    """
    for path, kind in kinds.items():
        value: Any = options
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        # None stands where the type was wrong, which is told already.
        if isinstance(value, list):
            wrong = [each for each in value if each is not None and (each == "" or not kind.fits(each))]
            yield from (f"{role}_{path} has {quoted(each)}: expected {kind.expected}" for each in wrong)
        elif value is not None and not kind.fits(value):
            yield f"{role}_{path} is {quoted(value)}: expected {kind.expected}"
