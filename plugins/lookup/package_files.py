# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lookup package_files."""

from __future__ import annotations

DOCUMENTATION = r"""
name: package_files
short_description: The modules of a Python package on the controller, those of its sub-packages too
version_added: "1.1.0"
author: Sheepfold contributors (@sheepfold)
description:
  - Returns the paths of a package's files C(*.py) below its directory, sorted. A role that installs the package writes these.
  - ansible.builtin.fileglob knows no directories below the one that it is given.
options:
  _terms:
    description: The package's directory.
    required: true
"""

EXAMPLES = r"""
- name: Show what role shepherd installs of its package
  ansible.builtin.debug:
    msg: "{{ query('sheepfold.htcondor.package_files', shepherd__source ~ '/shepherd') }}"
"""

RETURN = r"""
_raw:
  description: Paths below the directory.
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[Any]:
        """Return the files of each package that is named."""
        self.set_options(var_options=variables, direct=kwargs)
        found: list[str] = []
        for directory in (Path(str(term)) for term in terms):
            files = sorted(str(path.relative_to(directory)) for path in directory.rglob("*.py"))
            if not files:
                raise AnsibleLookupError(f"{directory} has no Python module: expected the directory of a package")
            found += files
        return found
