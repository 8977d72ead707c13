# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shepherd's configuration: one JSON file, read by nothing but Python's own library.

Every part may be left out:

    {"settings": {"policy": "balance", "cycle": 300, "reserve": 0.25},
     "pool": {"collector": "", "flock_collector": null, "command_tokens": "/etc/sheepfold/pool/commands.d"},
     "scope": {"access_points": [], "foreign_domains": []},
     "state_directory": "/var/lib/shepherd",
     "deadline": 240,
     "tmp_flockoff": {"path": "/tmp/flockoff", "owners": ["root"]},
     "monitoring": {"url": "https://icinga.example.org:5665", "user": "shepherd", ...},
     "metrics": {"address": "127.0.0.1", "port": 9818},
     "managers": {"name": "submit", "others": ["cm2"], "begins": true}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from .managers import ManagersOptions, managers_problems
from .scope import Scope
from .settings import PolicySettings, SettingsError

DEFAULT_PATH = "/etc/sheepfold/shepherd/shepherd.json"
_T = TypeVar("_T")


class ConfigurationError(ValueError):
    """A configuration that cannot be used; ``problems`` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(" ".join(problems))


@dataclass(frozen=True)
class PoolOptions:
    """The way to HTCondor. Times in seconds."""

    collector: str = ""
    """address of the site's collector; empty for that of HTCondor's configuration"""
    flock_collector: str | None = None
    """address of the flock's own; None for FLOCK_COLLECTOR_HOST of HTCondor's configuration, empty for none"""
    command_tokens: str = "/etc/sheepfold/pool/commands.d"
    """directory of the tokens for commands to flocking startds"""
    transport: str = "tools"
    """how commands go: ``tools``, or ``bindings``, which need ALLOW_ADMINISTRATOR on each host"""
    interpreter: str = ""
    """the Python that has HTCondor's bindings, by which ads and queues are read where they are; empty for our own"""
    timeout: float = 20.0
    """what one exchange with a daemon may take"""
    stale_after: int = 900
    """an ad that is older says nothing"""
    settle: int = 400
    """a collector that is younger may not have heard everybody"""
    at_once: int = 16
    """nodes that are commanded at a time"""


@dataclass(frozen=True)
class TmpFlockoff:
    """A file that switches lending off where anybody can create files: honoured of its owners alone."""

    path: str = "/tmp/flockoff"  # noqa: S108 - the place that the compatibility is about
    owners: tuple[str, ...] = ("root",)


@dataclass(frozen=True)
class IcingaOptions:
    """Icinga 2's REST API."""

    url: str = ""
    """as https://icinga.example.org:5665"""
    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    """the certificate authority that has signed the server's certificate"""
    service: str = "condor_startd"
    """the service that checks the startd's process"""
    host: str = "{node}"
    """Icinga's name of a node's host"""
    when: tuple[str, ...] = ("stop",)
    """before which commands a downtime begins: ``stop``, ``drain``"""
    hours: float = 24.0
    """how long a downtime lasts when nothing ends it"""
    timeout: float = 10.0
    """seconds for one request"""


@dataclass(frozen=True)
class MetricsOptions:
    """Where Prometheus finds the metrics."""

    address: str = "127.0.0.1"
    port: int = 9818


@dataclass(frozen=True)
class Configuration:
    """All of it."""

    settings: PolicySettings = field(default_factory=PolicySettings)
    pool: PoolOptions = field(default_factory=PoolOptions)
    scope: Scope = field(default_factory=Scope)
    state_directory: str = "/var/lib/shepherd"
    deadline: int = 240
    """seconds after which a cycle is given up and its process killed"""
    tmp_flockoff: TmpFlockoff | None = None
    monitoring: IcingaOptions | None = None
    metrics: MetricsOptions | None = None
    managers: ManagersOptions | None = None


def _kind(default: Any) -> tuple[tuple[type, ...], str]:
    if isinstance(default, bool):
        return (bool,), "true or false"
    if isinstance(default, int):
        return (int,), "a whole number"
    if isinstance(default, float):
        return (int, float), "a number"
    if isinstance(default, tuple):
        return (list,), "a list of texts"
    return (str,), "a text"


def _section(cls: type[_T], value: Any, where: str, problems: list[str]) -> _T:
    """One part of the file as its class; the defaults where something is wrong, which is added to ``problems``."""
    if not isinstance(value, Mapping):
        problems.append(f"{where} is {value!r}: expected a JSON object.")
        return cls()
    known: dict[str, Any] = {each.name: each.default for each in fields(cls)}  # type: ignore[arg-type]
    chosen: dict[str, Any] = {}
    for name, given in value.items():
        if name not in known:
            problems.append(f"{where}.{name} is {given!r}: expected no such name (there are {', '.join(sorted(known))}).")
            continue
        if given is None and known[name] is None:
            continue
        types, words = _kind(known[name])
        right = isinstance(given, types) and (types == (bool,) or not isinstance(given, bool))
        if types == (list,):
            right = right and all(isinstance(each, str) for each in given)
        if not right or (isinstance(given, float) and not isfinite(given)):
            problems.append(f"{where}.{name} is {given!r}: expected {words}.")
            continue
        chosen[name] = tuple(given) if types == (list,) else given
    return cls(**chosen)


def _pool_problems(pool: PoolOptions) -> list[str]:
    found = [
        f"pool.{name} is {getattr(pool, name)!r}: expected a number of seconds above 0."
        for name in ("timeout", "stale_after")
        if getattr(pool, name) <= 0
    ]
    if pool.settle < 0:
        found.append(f"pool.settle is {pool.settle}: expected a number of seconds, 0 or more.")
    if pool.at_once < 1:
        found.append(f"pool.at_once is {pool.at_once}: expected a whole number, 1 or more.")
    if pool.transport not in ("tools", "bindings"):
        found.append(f"pool.transport is {pool.transport!r}: expected tools or bindings.")
    return found


def _icinga_problems(icinga: IcingaOptions) -> list[str]:
    found = []
    if not icinga.url.startswith("https://"):
        found.append(f"monitoring.url is {icinga.url!r}: expected an address that begins with https://.")
    found += [
        f"monitoring.{name} is empty: expected {words}."
        for name, words in (
            ("user", "the name of an API user of Icinga"),
            ("password_file", "a file with that user's password"),
            ("ca_file", "the file of the certificate authority that has signed the server's certificate"),
            ("service", "the name of the service that checks the startd"),
        )
        if not getattr(icinga, name)
    ]
    found += [
        f"monitoring.{name} is {getattr(icinga, name)!r}: expected a number above 0."
        for name in ("hours", "timeout")
        if getattr(icinga, name) <= 0
    ]
    found += [f"monitoring.when has {each!r}: expected stop or drain." for each in icinga.when if each not in ("stop", "drain")]
    if "{node}" not in icinga.host:
        found.append(f"monitoring.host is {icinga.host!r}: expected a text with {{node}} in it.")
    return found


def _more_problems(found: Configuration) -> list[str]:
    problems = _pool_problems(found.pool)
    if found.monitoring:
        problems += _icinga_problems(found.monitoring)
    if found.metrics and not 0 < found.metrics.port < 65536:
        problems.append(f"metrics.port is {found.metrics.port}: expected a port, 1 to 65535.")
    if found.tmp_flockoff and not found.tmp_flockoff.owners:
        problems.append("tmp_flockoff.owners is empty: expected the users whose file counts.")
    if found.managers:
        problems += managers_problems(found.managers, found.pool.collector)
    if not found.state_directory.startswith("/"):
        problems.append(f"state_directory is {found.state_directory!r}: expected an absolute path.")
    if not 0 < found.deadline < found.settings.cycle + 1:
        cycle = found.settings.cycle
        problems.append(f"deadline is {found.deadline}: expected seconds above 0, no more than settings.cycle, which is {cycle}.")
    return problems


_SECTIONS: dict[str, type[Any]] = {"pool": PoolOptions, "scope": Scope}
_OPTIONAL: dict[str, type[Any]] = {
    "tmp_flockoff": TmpFlockoff,
    "monitoring": IcingaOptions,
    "metrics": MetricsOptions,
    "managers": ManagersOptions,
}
_PLAIN: dict[str, Any] = {"state_directory": "", "deadline": 0}


def _settings(value: Any, problems: list[str]) -> PolicySettings:
    try:
        if not isinstance(value, Mapping):
            raise SettingsError([f"settings is {value!r}: expected a JSON object."])
        return PolicySettings.parse(value)
    except SettingsError as error:
        problems += error.problems
        return PolicySettings()


def _part(name: str, value: Any, problems: list[str]) -> Any:
    """One of the names at the top of the file."""
    if name == "settings":
        return _settings(value, problems)
    if name in _SECTIONS:
        return _section(_SECTIONS[name], value, name, problems)
    if name in _OPTIONAL:
        return None if value is None else _section(_OPTIONAL[name], value, name, problems)
    types, words = _kind(_PLAIN[name])
    if not isinstance(value, types) or isinstance(value, bool):
        problems.append(f"{name} is {value!r}: expected {words}.")
    return value


def parse(values: Any) -> Configuration:
    """A configuration from what its JSON text says. Raises ConfigurationError with every problem at once."""
    if not isinstance(values, Mapping):
        raise ConfigurationError([f"the configuration is {values!r}: expected a JSON object."])
    names = sorted(["settings", *_SECTIONS, *_OPTIONAL, *_PLAIN])
    problems = [
        f"{name} is {value!r}: expected no such name (there are {', '.join(names)})."
        for name, value in values.items()
        if name not in names
    ]
    chosen = {name: _part(name, value, problems) for name, value in values.items() if name in names}
    # A short cycle makes a short deadline, where nobody has said another.
    if "deadline" not in chosen and not problems:
        chosen["deadline"] = max(1, chosen.get("settings", PolicySettings()).cycle * 4 // 5)
    if problems:
        raise ConfigurationError(problems)
    found = Configuration(**chosen)
    problems = _more_problems(found)
    if problems:
        raise ConfigurationError(problems)
    return found


def values_in(path: str) -> dict[str, Any]:
    """What a file says, not yet looked at. Raises ConfigurationError when it cannot be read or is no JSON object."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError([f"the configuration {path} cannot be read: {why}."]) from error
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ConfigurationError([f"the configuration {path} is not JSON: {error}."]) from error
    if not isinstance(values, dict):
        raise ConfigurationError([f"the configuration {path} is {values!r}: expected a JSON object."])
    return values


def load(path: str) -> Configuration:
    """The configuration in a file. Raises ConfigurationError."""
    return parse(values_in(path))
