# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text for a terminal: ads, reasons and names come from others, and must not steer it."""

from __future__ import annotations

import unicodedata
from typing import Any

_STEERS = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of control, format and surrogate characters, and of line and paragraph separators"""


def printable(text: str) -> str:
    """The text on one line; what would steer a terminal is escaped as in Python's source."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each.encode("unicode_escape").decode("ascii") if unicodedata.category(each) in _STEERS else each for each in text
    )


def shown(value: Any) -> Any:
    """The same value with every text in it printable; lists and dicts as deep as they go."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {name: shown(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(each) for each in value]
    return value
