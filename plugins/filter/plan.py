# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters that turn the site's description into the plan the roles read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

try:
    from ansible_collections.sheepfold.htcondor.plugins.module_utils.site.errors import DescriptionError
    from ansible_collections.sheepfold.htcondor.plugins.module_utils.site.plan import check_host_addresses, make_plan
except ImportError as error:
    raise AnsibleFilterError("The filters of sheepfold.htcondor need the Python library netaddr on the controller.") from error


@lru_cache(maxsize=256)
def _cached_plan(raw: str, host: str, groups: str, parent: str) -> str:
    # The plan is read many times in one run and depends on nothing else; text keeps callers from sharing a dict.
    return json.dumps(make_plan(json.loads(raw), host, json.loads(groups), parent))


def flock_plan(flock: Any, host: str, groups: Mapping[str, Sequence[str]], parent: str = "") -> dict[str, Any]:
    """Return the plan as seen from one host; a bad description is one clear sentence."""
    relevant = {name: sorted(members) for name, members in groups.items() if name.startswith("flock_")}
    try:
        plan: dict[str, Any] = json.loads(
            _cached_plan(json.dumps(flock, default=str), str(host), json.dumps(relevant), str(parent))
        )
    except DescriptionError as error:
        raise AnsibleFilterError(str(error)) from error
    return plan


def flock_problem(
    flock: Any,
    host: str,
    groups: Mapping[str, Sequence[str]],
    parent: str = "",
    addresses: Iterable[str] = (),
) -> str:
    """Return what is wrong with the description, or with this host in its light, as one sentence; or an empty string."""
    try:
        check_host_addresses(make_plan(flock, str(host), groups, str(parent)), {str(host): addresses}, groups)
    except DescriptionError as error:
        return str(error)
    return ""


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"flock_plan": flock_plan, "flock_problem": flock_problem}
