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

from importlib import import_module
from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight.seen import Seen
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.role_options import specification, typed

_PACKAGE = "ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight"
#: Each has a module with a function problems.
CHECKED = ("execute_node", "flock_startd", "gateway", "image", "macvlan", "pool", "shepherd", "verify", "vlan")
#: The module that has its function warnings.
WARNING = {"execute_node": "execute_node", "gateway": "gateway_warnings", "macvlan": "macvlan"}


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
            if not self.get_option("warnings"):
                found += [*wrong, *(_module(role).problems(seen) if role in CHECKED else ())]
            elif role in WARNING:
                # A value of a wrong type is told as a problem.
                found += _module(WARNING[role]).warnings(seen)
        return found


def _module(name: str) -> Any:
    # The one that is needed: every host asks in a process of its own, and to load all of them takes longer than to check.
    return import_module(f"{_PACKAGE}.{name}")
