# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of the switch: ``name = value`` lines, written by role ``execute_node``."""

from __future__ import annotations

from .errors import SYSTEM, SwitchError

PATH = "/etc/sheepfold/execute_node/settings"

MODES = ("identity", "log-only", "off")
DRIVERS = ("newuidmap", "userv")
LONGEST_HOOK = 300
"""Seconds; gLExec's own limit for an epilogue."""


class Account:
    """A pool account: its name and its id, as user and as group."""

    __slots__ = ("name", "uid")

    def __init__(self, name: str, uid: int) -> None:
        self.name = name
        self.uid = uid


class SwitchSettings:
    """What the administrator set. Lists are in the file's order."""

    def __init__(self) -> None:
        self.mode = "identity"
        self.driver = "newuidmap"
        self.daemon_user = "condor"
        self.account: list[Account] = []
        self.execute = "/var/lib/condor/execute"
        self.tmp_size = 0
        self.job_root = ""
        self.hidden: list[str] = []
        self.secret: list[str] = []
        self.user_namespaces = False
        self.admission_executables = "any"
        self.admission_pattern: list[str] = []
        self.admission_user: list[str] = []
        self.admission_refused_user: list[str] = []
        self.admission_plugin = ""
        self.admission_plugin_timeout = 5
        self.completion_hook: list[str] = []
        self.completion_hook_timeout = 60
        self.payload_caller: list[str] = []
        self.payload_preserve: list[str] = []
        self.newuidmap = "/usr/bin/newuidmap"
        self.newgidmap = "/usr/bin/newgidmap"
        self.userv = "/usr/bin/userv"
        self.condor_status = "/usr/bin/condor_status"
        self.startd_address = "/var/log/condor/.startd_address"
        self.run_directory = "/run/sheepfold/execute_node"
        self.payload_directory = "/run/sheepfold/payload"


def read(path: str = PATH) -> SwitchSettings:
    """The settings of this host.

    Raises:
        SwitchError: the file cannot be read, or a line of it says what cannot be; nothing is guessed.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read())
    except (OSError, ValueError) as error:
        raise SwitchError(SYSTEM, f"{path}: {error}") from None


def parse(text: str) -> SwitchSettings:
    """Read the settings from a text. Raises ValueError naming the line, its value and what is expected."""
    settings = SwitchSettings()
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in content.partition("="))
        if not equals or name.startswith("_") or not hasattr(settings, name):
            raise ValueError(f"line {number} is {content!r}: expected one of {', '.join(vars(settings))}, and a value")
        try:
            _put(settings, name, value)
        except ValueError as error:
            raise ValueError(f"line {number}: {name} is {value!r}: expected {error}") from None
    return settings


def _put(settings: SwitchSettings, name: str, value: str) -> None:
    present = getattr(settings, name)
    if name == "account":
        settings.account.append(_account(value))
    elif isinstance(present, list):
        if not value:
            raise ValueError("a value")
        present.append(value)
    elif isinstance(present, bool):
        setattr(settings, name, {"yes": True, "no": False}[_one_of(value, ("yes", "no"))])
    elif isinstance(present, int):
        most = {"completion_hook_timeout": LONGEST_HOOK, "admission_plugin_timeout": LONGEST_HOOK}.get(name)
        setattr(settings, name, _whole(value, least=0 if most is None else 1, most=most))
    else:
        choices = {"mode": MODES, "driver": DRIVERS, "admission_executables": ("any", "local")}.get(name)
        setattr(settings, name, _one_of(value, choices) if choices else value)


def _one_of(value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(" or ".join(choices))
    return value


def _whole(value: str, least: int, most: int | None) -> int:
    limits = f"a whole number of at least {least}" + (f" and at most {most}" if most is not None else "")
    if not (value.isascii() and value.isdigit()) or int(value) < least or (most is not None and int(value) > most):
        raise ValueError(limits)
    return int(value)


def _account(value: str) -> Account:
    words = value.split()
    # Ids below belong to the system and to people: a switch to them is no pool account's.
    if len(words) != 2 or not words[1].isdigit() or int(words[1]) < 65536:
        raise ValueError("an account's name and its id of at least 65536")
    return Account(words[0], int(words[1]))
