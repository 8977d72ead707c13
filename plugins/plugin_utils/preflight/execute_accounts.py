# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the accounts that jobs are to run as are nobody else's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from .seen import Seen

#: Where no person's account and no service's is.
LOWEST, HIGHEST = 65536, 2147483646
SHELLS = ("nologin", "false")


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong."""
    facts, host = seen.facts, seen.facts["host"]
    first, count, names = facts["first"], facts["count"], facts["names"]
    if count < facts["slots"]:
        yield (
            f"execute_node_accounts.count is {count}: expected at least one for each of the {facts['slots']} slots of {seen.host}"
        )
    if first < LOWEST or first + count > HIGHEST + 1:
        yield (
            f"execute_node_accounts.first_id is {first} with {count} accounts: expected ids from {LOWEST} to {HIGHEST}, where no"
            " person's account and no service's is"
        )
    for each in host["subordinate"]:
        own = each["owner"] == facts["user"] and each["first"] == first
        if each["first"] < first + count and first < each["first"] + each["count"] and not own:
            yield (
                f"{each['file']} of {seen.host} has {each['owner']}:{each['first']}:{each['count']}, which overlaps the accounts'"
                f" ids: expected execute_node_accounts.first_id other than {first}, with ids that nobody else may map"
            )
    for name, account in host["accounts"].items():
        yield from _account(seen, name, account)
    for number, name in host["ids"].items():
        if name not in names:
            yield (f"Id {number} of {seen.host} belongs to {name}: expected execute_node_accounts.first_id other than {first}")


def _account(seen: Seen, name: str, account: Mapping[str, Any]) -> Iterator[str]:
    facts = seen.facts
    first, last, named = facts["first"], facts["first"] + facts["count"] - 1, f"Account {name} of {seen.host}"
    if not first <= account["uid"] <= last or account["gid"] != account["uid"]:
        yield (
            f"{named} has the id {account['uid']} (group {account['gid']}): expected an id from {first} to {last} or no such"
            " account (execute_node_accounts.prefix), jobs must never run as somebody's account"
        )
    elif PurePosixPath(account["shell"]).name not in SHELLS:
        yield (
            f"{named} has the shell {account['shell']}: expected one that lets nobody in, or another"
            " execute_node_accounts.prefix, jobs must never run as somebody's account"
        )
    elif account["uid"] != first + facts["names"].index(name) or account["comment"] != facts["comment"]:
        yield f"{named} is none of this role's: expected another execute_node_accounts.prefix or that account gone"
