# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lookup role_options."""

from __future__ import annotations

DOCUMENTATION = r"""
name: role_options
short_description: The options of a role of this collection, with the types that its argument specification gives them
version_added: "1.1.0"
author: Sheepfold contributors (@sheepfold)
description:
  - Returns a dict with the options by their names without the role's. There the text C(false) of C(-e key=false) is false,
    and C(64) is a number.
  - Fails with one sentence for each option that is not of its type.
options:
  _terms:
    description: The role's name.
    required: true
  lenient:
    description:
      - Whether the default stands in the place of a value that is not of its type.
      - For preflight, which tells of that value and looks at everything else too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the gateway's options
  ansible.builtin.debug:
    msg: "{{ lookup('sheepfold.htcondor.role_options', 'gateway') }}"
"""

RETURN = r"""
_raw:
  description: The options.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.role_options import specification, typed


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[Any]:
        """Return the options of each role that is named."""
        self.set_options(var_options=variables, direct=kwargs)
        found = []
        for role in map(str, terms):
            given = {name: variables[name] for name in specification(role) if name in variables}
            options, wrong = typed(role, self._templar.template(given))
            if wrong and not self.get_option("lenient"):
                raise AnsibleLookupError("; ".join(wrong))
            found.append(options)
        return found
