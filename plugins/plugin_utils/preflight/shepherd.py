# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep the shepherd from working on a host."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from ...module_utils.shepherd.config.configuration import Configuration, ConfigurationError, parse
from . import condor, values
from .seen import Seen

MINIMUM = "23.0"
#: These two are removed with the shepherd: nobody else's may be named by mistake.
REMOVED = {
    "user": values.matching(r"(?!(root|condor|nobody)$)[a-z_][a-z0-9_-]{0,30}", "the name of a user of the shepherd's own"),
    "state_directory": values.matching(
        r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+/[A-Za-z0-9_.-]*shepherd[A-Za-z0-9_.-]*",
        "an absolute path whose last name has shepherd in it, as /var/lib/shepherd",
    ),
}
KINDS = {
    "packages": values.PACKAGE,
    "config_directory": values.PATH,
    "collector": values.matching(r"[A-Za-z0-9][A-Za-z0-9.:-]*", "a host's name or address, with a port where it is not 9618"),
}
_PARTS = {each.name for each in fields(Configuration)}


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong."""
    for name, kind in REMOVED.items():
        if seen.options.get(name) == "":
            yield f"shepherd_{name} is empty: expected {kind.expected}"
    yield from values.problems("shepherd", seen.options, REMOVED)
    if seen.options["state"] == "absent":
        return
    yield from values.problems("shepherd", seen.options, KINDS)
    managers, asked = seen.groups.get("flock_central_manager", ()), seen.facts["asked"]
    if seen.host not in managers:
        yield (
            f"The shepherd's host is {seen.host}: expected that of a collector and negotiator of the site, {', '.join(managers)}"
            " (group flock_central_manager)"
        )
    unknown = list(condor.version_problems(seen.host, asked, MINIMUM, "it gets a shepherd"))
    yield from unknown or _htcondor(seen, condor.values(asked))
    yield from engine_problems(seen.facts["configuration"])
    for looked in seen.facts["files"]:
        yield from _file(seen.host, looked["item"]["key"], looked["item"]["value"], looked["stat"])


def _htcondor(seen: Seen, found: Mapping[str, str]) -> Iterator[str]:
    there = found["DAEMON_LIST"]
    for daemon in ("COLLECTOR", "NEGOTIATOR"):
        if daemon not in condor.words(there.upper()):
            yield (
                f"DAEMON_LIST of {seen.host} is '{there}': expected {daemon} in it, because the shepherd runs beside the site's"
                " collector and negotiator"
            )
    yield from condor.directory_problems("shepherd", seen.host, seen.options["config_directory"], found)


def _file(host: str, key: str, path: str, stat: Mapping[str, Any]) -> Iterator[str]:
    named = f"shepherd_monitoring.{key} is '{path}'"
    if not (stat["exists"] and stat["isreg"]):
        yield f"{named}: expected a file on {host}"
    elif key == "password_file" and not stat["mode"].endswith("0"):
        yield f"{named}, mode {stat['mode']} on {host}: expected mode 0600, others may not read a password"
    elif key == "ca_file" and not stat["roth"]:
        yield f"{named}, mode {stat['mode']} on {host}: expected mode 0644, the shepherd's user has to read it"


def engine_problems(configuration: Any) -> list[str]:
    """Return what the engine finds wrong, a sentence each with the role's variables. Files that are named are not looked at."""
    try:
        parse(configuration)
    except ConfigurationError as error:
        return [_of_the_role(problem) for problem in error.problems]
    return []


def _of_the_role(problem: str) -> str:
    # The engine names a setting by itself and everything else from the top of its file.
    top = re.match(r"\w*", problem)
    return f"shepherd_{problem}" if top and top[0] in _PARTS else f"shepherd_settings.{problem}"
