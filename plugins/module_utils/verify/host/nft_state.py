# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules as the kernel has them now: a hash to know them by again, and what they counted."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import Any

GATEWAY_TABLE = ("inet", "flock_gateway")
PORT_TABLE = ("netdev", "flock_port")
# What changes while the rules stay the same.
_CHANGING = ("handle", "packets", "bytes", "metainfo", "used")


def table(family: str, name: str) -> list[dict[str, Any]]:
    """Return a table as nft lists it; nothing where there is no such table."""
    try:
        done = subprocess.run(["nft", "-j", "list", "table", family, name], capture_output=True, text=True, check=False)
    except OSError:
        return []
    if done.returncode:
        return []
    listed: list[dict[str, Any]] = json.loads(done.stdout)["nftables"]
    return [item for item in listed if "metainfo" not in item]


def digest(listed: list[dict[str, Any]]) -> str:
    """Return a hash of a table that does not depend on counters, handles, and sets that the rules fill themselves."""
    if not listed:
        return ""
    # nft 1.0 does not list a set's flag "dynamic" in JSON.
    statements = [part for item in listed for part in item.get("rule", {}).get("expr", [])]
    filled = {part["set"]["set"].lstrip("@") for part in statements if "set" in part}
    stable = [_stable(_empty(item) if item.get("set", {}).get("name") in filled else item) for item in listed]
    return hashlib.sha256(json.dumps(stable, sort_keys=True).encode()).hexdigest()


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    """Return a set without its elements."""
    return {"set": {key: value for key, value in item["set"].items() if key != "elem"}}


def _stable(item: Any) -> Any:
    if isinstance(item, list):
        return [_stable(part) for part in item]
    if not isinstance(item, dict):
        return item
    return {key: _stable(value) for key, value in item.items() if key not in _CHANGING}


def counters(listed: list[dict[str, Any]], place: str) -> dict[str, int]:
    """Return the packets that commented rules have counted, by point: ``place:counter:comment``."""
    found: dict[str, int] = {}
    for item in listed:
        rule = item.get("rule", {})
        for part in rule.get("expr", ()):
            counter = part.get("counter")
            if isinstance(counter, dict) and rule.get("comment"):
                point = f"{place}:counter:{rule['comment']}"
                found[point] = found.get(point, 0) + int(counter["packets"])
    return found
