# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lookup preflight."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight
short_description: Say what would keep a role of this collection from working on a host
version_added: "1.1.0"
author: Sheepfold contributors (@sheepfold)
description:
  - Checks the types of the role's options, and all of them in the light of the site's plan and of what a facts module found
    on the host.
  - Returns one sentence for each problem, which names the variable, its value and what is expected.
options:
  _terms:
    description: The role's name.
    required: true
  plan:
    description: The plan, C(flock_plan).
    type: dict
    default: {}
  facts:
    description: What the role's facts module found on the host.
    type: dict
    default: {}
  warnings:
    description: Whether to say what an administrator should know in place of what would keep the role from working.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Note what is wrong
  ansible.builtin.set_fact:
    vlan__problems: "{{ query('sheepfold.htcondor.preflight', 'vlan', plan=flock_plan, facts=vlan__seen) }}"
"""

RETURN = r"""
_raw:
  description: The sentences.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight import (
    execute_node,
    flock_startd,
    gateway,
    gateway_warnings,
    image,
    macvlan,
    pool,
    shepherd,
    verify,
    vlan,
)
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight.seen import Seen
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.role_options import specification, typed

CHECKS = {
    "execute_node": execute_node.problems,
    "flock_startd": flock_startd.problems,
    "gateway": gateway.problems,
    "image": image.problems,
    "macvlan": macvlan.problems,
    "pool": pool.problems,
    "shepherd": shepherd.problems,
    "verify": verify.problems,
    "vlan": vlan.problems,
}
WARNINGS = {"gateway": gateway_warnings.warnings, "macvlan": macvlan.warnings}


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[Any]:
        """Return what is wrong for each role that is named."""
        self.set_options(var_options=variables, direct=kwargs)
        found: list[str] = []
        for role in map(str, terms):
            given = {name: variables[name] for name in specification(role) if name in variables}
            options, wrong = typed(role, self._templar.template(given))
            seen = Seen(
                host=str(variables["inventory_hostname"]),
                options=options,
                plan=self.get_option("plan"),
                facts=self.get_option("facts"),
                groups=variables.get("groups", {}),
            )
            if self.get_option("warnings"):
                # A value of a wrong type is told as a problem.
                found += WARNINGS[role](seen) if role in WARNINGS else ()
            else:
                found += [*wrong, *(CHECKS[role](seen) if role in CHECKS else ())]
        return found
