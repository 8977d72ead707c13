# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What roles that add to a host's HTCondor ask of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

TRUE = ("TRUE", "T", "YES", "1")


def values(asked: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the parameters that module condor_config_info has answered with, empty ones for those that have no value."""
    found: Mapping[str, str] = asked.get("parameters") or {}
    return found


def words(text: str) -> list[str]:
    """Return the items of one of HTCondor's lists."""
    return text.replace(",", " ").split()


def number(text: str) -> int:
    """Return a parameter's number, 0 where it has none."""
    return int(text) if re.fullmatch(r"[0-9]+", text) else 0


def version_problems(host: str, asked: Mapping[str, Any], minimum: str, before: str, because: str = "") -> Iterator[str]:
    """Yield why nothing else can be asked: no HTCondor, or one that is too old.

    Args:
        host: inventory name of the host.
        asked: what module condor_config_info has answered with.
        minimum: the oldest version that will do.
        before: what the site's pool is expected to work before.
        because: what older ones do not have.
    """
    version = values(asked).get("CONDOR_VERSION", "")
    if not version[:1].isdigit():
        said = " ".join(str(asked.get("msg") or version).split())
        yield (
            f"HTCondor of {host} is not installed or its configuration cannot be read ({said}): expected the site's own pool to"
            f" work before {before}"
        )
    elif _numbers(version) < _numbers(minimum):
        yield f"HTCondor of {host} is version {version}: expected {minimum} or newer{because and ', ' + because}"


def directory_problems(role: str, host: str, directory: str, found: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with the directory that a role's snippets go to."""
    there = found["LOCAL_CONFIG_DIR"]
    if directory.rstrip("/") not in [each.rstrip("/") for each in words(there)]:
        yield f"{role}_config_directory is '{directory}': expected one of LOCAL_CONFIG_DIR of {host}, {there}"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"[0-9]+", version)]
