# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log lines: an event and its facts as ``name=value``, for journald on the standard error output.

decision node=p220 state=local wanted=flock actions="p220: drain (peaceful)" reason="demand was low for 3 cycles"
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Union

Value = Union[str, int, float, bool, None]
Log = Callable[..., None]
"""``log(event, name=value, ...)``"""


def _word(value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    text = str(value)
    plain = text and all(each.isalnum() or each in "-._/:@+%" for each in text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def line(event: str, **facts: Value) -> str:
    """One line without its end."""
    return " ".join([event, *(f"{name}={_word(value)}" for name, value in facts.items())])


def write(event: str, **facts: Value) -> None:
    """Write a line to the standard error output."""
    # One write: lines of the parent and of its worker do not run into each other.
    sys.stderr.write(line(event, **facts) + "\n")
    sys.stderr.flush()


def silent(event: str, **facts: Value) -> None:
    """Write nothing."""
