# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters that turn the site's description into the plan the roles read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.site import host_view

if TYPE_CHECKING:
    from types import ModuleType


def _plan() -> ModuleType:
    # Only when it is asked for: other filters of this file need no netaddr.
    from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.site import netaddr_library, plan  # noqa: PLC0415

    if not netaddr_library.IS_THERE:
        raise AnsibleFilterError(
            "The Python library netaddr is not installed on the controller: expected it in Ansible's own Python"
            " (pip install netaddr, or package python3-netaddr)"
        )
    module: ModuleType = plan
    return module


def flock_site(flock: Any, groups: Mapping[str, Sequence[str]], known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the plan without what differs from host to host; or what is known already, where nothing has changed."""
    plan = _plan()
    relevant = {str(name): sorted(map(str, members)) for name, members in groups.items() if str(name).startswith("flock_")}
    text = json.dumps([flock, relevant], default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()
    if known and known.get("digest") == digest:
        return dict(known)
    raw, relevant = json.loads(text)
    try:
        site: dict[str, Any] = {**plan.make_site(raw, relevant), "problems": []}
    except ValueError as error:
        site = {"problems": list(getattr(error, "problems", [str(error)]))}
    return {**site, "digest": digest, "missing": plan.missing_groups(relevant)}


def flock_seen_from(site: Mapping[str, Any], host: str, parent: str = "", container: Any = None) -> dict[str, Any]:
    """Return the plan as seen from one host; a bad description is one clear sentence for each mistake."""
    if site["problems"]:
        raise AnsibleFilterError("; ".join(site["problems"]))
    try:
        seen: dict[str, Any] = host_view.seen_from(site, str(host), str(parent), container)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    return {key: value for key, value in seen.items() if key not in ("problems", "digest", "missing")}


def flock_plan(flock: Any, host: str, groups: Mapping[str, Sequence[str]], parent: str = "") -> dict[str, Any]:
    """Return the plan as seen from one host, made of the description alone."""
    return flock_seen_from(flock_site(flock, groups), host, parent)


def flock_host_problems(
    site: Mapping[str, Any],
    host: str,
    is_gateway: bool = False,
    parent: str = "",
    addresses: Iterable[str] = (),
    *,
    container: Any = None,
) -> list[str]:
    """Return what is wrong with the description, or with this host in its light, one sentence each."""
    if site["problems"]:
        return list(site["problems"])
    found: list[str] = host_view.host_problems(site, str(host), is_gateway, str(parent), addresses, container=container)
    return [*site["missing"], *found]


def flock_problem(
    flock: Any,
    host: str,
    groups: Mapping[str, Sequence[str]],
    parent: str = "",
    addresses: Iterable[str] = (),
) -> str:
    """Return all of that as one text; or an empty string."""
    site = {**flock_site(flock, groups), "missing": []}
    return "; ".join(flock_host_problems(site, host, host in groups.get("flock_gateway", ()), parent, addresses))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "flock_plan": flock_plan,
            "flock_problem": flock_problem,
            "flock_site": flock_site,
            "flock_seen_from": flock_seen_from,
            "flock_host_problems": flock_host_problems,
        }
