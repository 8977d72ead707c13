# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of single addresses and networks; each returns the value in the form the plan uses or raises DescriptionError."""

from __future__ import annotations

from typing import Any

from .errors import DescriptionError
from .netaddr_library import AddrFormatError, IPAddress, IPNetwork


def network(variable: str, value: Any) -> IPNetwork:
    """Return an IPv4 network; host bits must be zero."""
    expected = "an IPv4 network such as 10.27.2.0/24"
    if not isinstance(value, str) or "/" not in value:
        raise DescriptionError(variable, value, expected)
    try:
        net = IPNetwork(value, version=4)
    except (AddrFormatError, ValueError):
        raise DescriptionError(variable, value, expected) from None
    if net.cidr != net or net.ip != net.network:
        raise DescriptionError(variable, value, f"{expected}; did you mean {net.cidr}?")
    return net


def address(variable: str, value: Any) -> IPAddress:
    """Return an IPv4 address."""
    expected = "an IPv4 address such as 10.27.2.1"
    if not isinstance(value, str):
        raise DescriptionError(variable, value, expected)
    try:
        return IPAddress(value, version=4)
    except (AddrFormatError, ValueError):
        raise DescriptionError(variable, value, expected) from None
