# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role's options with the types that its argument specification gives them.

`-e gateway_tc=false` and the surveys of AWX know no other type than text, and the text "false" is true to Jinja. So no task and
no template reads such an option itself: it reads the typed one (lookup role_options).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Callable

import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
_TRUE = ("true", "t", "yes", "y", "on", "1")
_FALSE = ("false", "f", "no", "n", "off", "0")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?")
#: Control characters, halves of a character, and what divides lines and paragraphs.
_CONTROL = ("Cc", "Cs", "Zl", "Zp")
_EXPECTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "path": "a path",
    "list": "a list",
    "dict": "a dict",
}


class OptionError(ValueError):
    """An option's value is not of its type. The text is one sentence: the option, its value, what is expected."""

    def __init__(self, option: str, value: object, expected: str) -> None:
        super().__init__(f"{option} is {quoted(value)}: expected {expected}")


def quoted(value: object) -> str:
    """Return a value as a sentence has it."""
    return "not set" if value is None else repr(str(value)) if isinstance(value, str) else str(value)


@cache
def specification(role: str) -> Mapping[str, Mapping[str, Any]]:
    """Return a role's options from its argument specification."""
    spec = yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options: Mapping[str, Mapping[str, Any]] = spec["argument_specs"]["main"]["options"]
    return options


def typed(role: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the role's options by their names without the role's, typed; and a sentence for each that is not of its type.

    In the place of a wrong value stands the specification's default, so that everything else can be looked at too.
    """
    wrong: list[str] = []
    options: dict[str, Any] = {}
    for name, spec in specification(role).items():
        if name in given:
            options[name[len(role) + 1 :]] = _option(name, given[name], spec, wrong)
    return options, wrong


def _option(name: str, value: Any, spec: Mapping[str, Any], wrong: list[str]) -> Any:
    try:
        found = _converted(name, value, spec, wrong)
        _check_choice(name, found, spec)
    except OptionError as error:
        wrong.append(str(error))
        return _instead(spec)
    return found


def _instead(spec: Mapping[str, Any]) -> Any:
    """Return what stands in the place of a wrong value: the default, or nothing where that is a template."""
    default = spec.get("default")
    if default is None or (isinstance(default, str) and "{{" in default):
        return {"dict": {}, "list": [], "str": "" if default else None}.get(spec["type"])
    return default


def _converted(name: str, value: Any, spec: Mapping[str, Any], wrong: list[str]) -> Any:
    kind = spec["type"]
    found = _CONVERSIONS[kind](value)
    if found is None:
        raise OptionError(name, value, expected(spec))
    # No option is meant to have several lines, and a second one would be a setting of its own in the file that it goes to.
    if _has_control_characters(found if kind in ("str", "path") or (kind == "dict" and "options" not in spec) else None):
        raise OptionError(name, value, "one line, without control characters")
    if kind == "list":
        element = {**spec, "type": spec.get("elements", "str"), "default": None}
        found = [_option(f"{name}[{i}]", item, element, wrong) for i, item in enumerate(found)]
    elif kind == "dict" and "options" in spec:
        found = _suboptions(name, found, spec["options"], wrong)
    return found


def _has_control_characters(value: Any) -> bool:
    """Return whether a text has some, or one in a dict or list that the specification does not look into."""
    if isinstance(value, str):
        return any(unicodedata.category(character) in _CONTROL for character in value)
    if isinstance(value, Mapping):
        return any(map(_has_control_characters, (*value, *value.values())))
    return isinstance(value, (list, tuple)) and any(map(_has_control_characters, value))


def _suboptions(name: str, found: Mapping[str, Any], specs: Mapping[str, Any], wrong: list[str]) -> dict[str, Any]:
    # A key that nobody knows may be a misspelt limit, and without it the node would be more open than was meant.
    wrong += [
        str(OptionError(f"{name}.{key}", value, f"no such key, but one of {', '.join(specs)}"))
        for key, value in found.items()
        if key not in specs
    ]
    typed_ones = {
        key: _option(f"{name}.{key}", value, specs[key], wrong) if value is not None else None
        for key, value in found.items()
        if key in specs
    }
    wrong += [
        str(OptionError(f"{name}.{key}", None, "a value, since this key is required"))
        for key, spec in specs.items()
        if spec.get("required") and found.get(key) is None
    ]
    return typed_ones


def _check_choice(name: str, value: Any, spec: Mapping[str, Any]) -> None:
    if "choices" in spec and spec["type"] != "list" and value not in spec["choices"]:
        raise OptionError(name, value, expected(spec))


def expected(spec: Mapping[str, Any]) -> str:
    """Return what a sentence expects of an option."""
    choices = spec.get("choices", ())
    if len(choices) == 2:
        return " or ".join(choices)
    return "one of " + ", ".join(choices) if choices else _EXPECTED[spec["type"]]


def _bool(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def _int(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return int(str(value).strip()) if _WHOLE.fullmatch(str(value).strip()) else None


def _float(value: Any) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    text = str(value).strip()
    return int(text) if _WHOLE.fullmatch(text) else float(text) if _NUMBER.fullmatch(text) else None


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None


def _list(value: Any) -> list[Any] | None:
    return list(value) if isinstance(value, (list, tuple)) else None


def _dict(value: Any) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, Mapping) else None


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "str": _text,
    "path": _text,
    "list": _list,
    "dict": _dict,
}
