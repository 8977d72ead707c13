# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of single values that are no addresses; each returns the value in the form the plan uses or raises DescriptionError."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from .errors import DescriptionError, Mistakes

#: Linux refuses interface names of 16 characters and more (IFNAMSIZ, include/uapi/linux/if.h).
INTERFACE_NAME_MAX = 15
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_INVENTORY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
#: POSIX path characters that need no quoting in any of the files the roles write.
_PATH = re.compile(r"/[A-Za-z0-9._/@+-]+")
#: int() also takes 25_12 and the digits of other scripts.
_WHOLE = re.compile(r"[+-]?[0-9]+")


def integer(variable: str, value: Any, low: int, high: int) -> int:
    """Return a whole number from low to high; text of digits is accepted, as Ansible's -e gives it."""
    expected = f"a whole number from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise DescriptionError(variable, value, expected)
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise DescriptionError(variable, value, expected)
    number = int(value)
    if not low <= number <= high:
        raise DescriptionError(variable, value, expected)
    return number


def _matching(variable: str, value: Any, pattern: re.Pattern[str], expected: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise DescriptionError(variable, value, expected)
    return str(value)


def interface(variable: str, value: Any, room: int = 0) -> str:
    """Return an interface name that leaves room for so many further characters."""
    longest = INTERFACE_NAME_MAX - room
    expected = f"the name of a network interface, at most {longest} characters long"
    name = _matching(variable, value, _INTERFACE, expected)
    if len(name) > longest:
        raise DescriptionError(variable, value, expected)
    return name


def parent_interface(variable: str, value: Any, vlan_id: int, subinterface: str) -> str:
    """Return the VLAN's parent; unless the subinterface has a name of its own it bears its parent's and the VLAN's number."""
    try:
        return interface(variable, value, room=0 if subinterface else len(f".{vlan_id}"))
    except DescriptionError as error:
        if subinterface:
            raise
        hint = "; or a name for the subinterface in flock.interface, as vlan2512"
        raise DescriptionError(variable, value, error.expected + hint) from None


def name(variable: str, value: Any) -> str:
    """Return a name of letters, digits and inner hyphens (one label of a host name)."""
    return _matching(variable, value, _NAME, "a name of letters, digits and hyphens")


def prefix(variable: str, value: Any) -> str:
    """Return what names of hosts begin with."""
    return _matching(variable, value, _PREFIX, "letters, digits and hyphens that a host's name may begin with")


def inventory_name(variable: str, value: Any) -> str:
    """Return a host's name in the inventory."""
    return _matching(variable, value, _INVENTORY_NAME, "a host's name in the inventory")


def domain(variable: str, value: Any) -> str:
    """Return a DNS domain."""
    return _matching(variable, value, _DOMAIN, "a DNS domain such as example.org")


def mac(variable: str, value: Any) -> str:
    """Return a unicast MAC address in lower case."""
    expected = "a unicast MAC address such as 02:42:0a:1b:02:01"
    text = _matching(variable, value.lower() if isinstance(value, str) else value, _MAC, expected)
    if int(text[:2], 16) & 1:  # the group bit: IEEE 802-2014, 8.2
        raise DescriptionError(variable, value, expected)
    return text


def path(variable: str, value: Any) -> str:
    """Return an absolute path."""
    return _matching(variable, value, _PATH, "an absolute path")


def choice(variable: str, value: Any, choices: Sequence[str]) -> str:
    """Return one of the choices."""
    if value not in choices:
        raise DescriptionError(variable, value, "one of " + ", ".join(choices))
    return str(value)


def listing(variable: str, value: Any) -> list[Any]:
    """Return a list."""
    if not isinstance(value, (list, tuple)):
        raise DescriptionError(variable, value, "a list")
    return list(value)


def each(variable: str, value: Any, check: Callable[[str, Any], Any]) -> tuple[Any, ...]:
    """Return a list's items, each as its check returns it."""
    mistakes = Mistakes()
    found = [mistakes.catch(check, f"{variable}[{i}]", item) for i, item in enumerate(listing(variable, value))]
    mistakes.end()
    return tuple(found)


def open_mapping(
    variable: str, value: Any, known: Iterable[str], required: Iterable[str], mistakes: Mistakes
) -> Mapping[str, Any]:
    """Return a dict's known keys; note every other key, and every required one that is missing."""
    known = sorted(known)
    if not isinstance(value, Mapping):
        raise DescriptionError(variable, value, "a dict with the keys " + ", ".join(known))
    errors = [
        DescriptionError(f"{variable}.{key}", value[key], "no such key; the keys are " + ", ".join(known))
        for key in value
        if key not in known
    ] + [
        DescriptionError(f"{variable}.{key}", None, "a value, since this key is required")
        for key in required
        if value.get(key) is None
    ]
    mistakes.found += map(str, errors)
    return {key: item for key, item in value.items() if key in known}
