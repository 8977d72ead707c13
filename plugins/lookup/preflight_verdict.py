# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lookup preflight_verdict."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_verdict
short_description: All that preflight has noted on some hosts, each sentence once
version_added: "1.1.0"
author: Sheepfold contributors (@sheepfold)
description:
  - Collects the sentences that tasks/preflight.yml of this collection's roles have noted.
options:
  _terms:
    description: Inventory names of the hosts.
    required: true
  kind:
    description: What to collect, what is wrong or what an administrator should know.
    type: str
    choices: [problems, warnings]
    default: problems
"""

EXAMPLES = r"""
- name: Go on if nothing is wrong anywhere
  ansible.builtin.assert:
    that: verdict | length == 0
    fail_msg: "{{ verdict }}"
  vars:
    verdict: "{{ query('sheepfold.htcondor.preflight_verdict', ansible_play_hosts_all) }}"
  run_once: true
"""

RETURN = r"""
_raw:
  description: The sentences.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight.tell import tell

#: In the order in which site.yml asks them.
ROLES = ("flock", "vlan", "gateway", "pool", "macvlan", "image", "flock_startd", "execute_node", "shepherd", "verify")


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[Any]:
        """Return what is wrong."""
        self.set_options(var_options=variables, direct=kwargs)
        kind = self.get_option("kind")
        noted: dict[str, list[str]] = {}
        for host in self._flatten(terms):
            known = variables["hostvars"][host]
            noted[str(host)] = [
                str(sentence) for role in ROLES if f"{role}__{kind}" in known for sentence in known[f"{role}__{kind}"]
            ]
        return tell(noted)
