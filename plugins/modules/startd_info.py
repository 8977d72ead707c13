# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module startd_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: startd_info
short_description: See the startds of an HTCondor pool, regular and flocking
version_added: "1.0.0"
description:
  - Says of each startd what the pool's ads say. Where they say too little, the state is V(unknown), with the reason why.
options:
  name:
    description: Which startds, by the names of their hosts with or without the domain. Shell patterns are understood.
    type: list
    elements: str
    default: ["*"]
extends_documentation_fragment:
  - sheepfold.htcondor.htcondor
  - sheepfold.htcondor.htcondor.info_module
seealso:
  - module: sheepfold.htcondor.startd
author:
  - Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: See which flocking startds are open
  sheepfold.htcondor.startd_info:
    name: f*
  register: flock
"""

RETURN = r"""
startds:
  description: One entry for each startd.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its host's name without the domain.
      type: str
    machine:
      description: Its host's full name.
      type: str
    flocking:
      description: Whether it is a flocking startd.
      type: bool
    flock_host:
      description: The regular startd's name beside a flocking one.
      type: str
    state:
      description: One of on, draining, drained, off, unknown.
      type: str
    why:
      description: Why its state is unknown, or why it is not certain that it is off.
      type: str
    busy:
      description: How many of its slots are claimed.
      type: int
    open_until:
      description: When a flocking startd's lease ends, in seconds since the epoch; 0 without one.
      type: int
    drain_reason:
      description: What HTCondor's own drain is marked with.
      type: str
    clock_offset:
      description:
        - By how many seconds its clock is ahead of the collector's, roughly.
        - Some minutes behind are no sign of anything. An ad may be that old when it is sent.
      type: int
missing:
  description: Names and patterns that no startd has.
  returned: success
  type: list
  elements: str
conflicts:
  description: Names of flocking startds that are open while the regular startd of their host is on, too.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.adapter import Adapter
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import conflicts
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.options import (
    ARGUMENTS,
    as_result,
    failure,
    pool,
    problem,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.reconcile import select


def run(module: AnsibleModule, adapter: Adapter) -> None:
    everyone = adapter.observe()
    chosen, missing = select(module.params["name"], everyone)
    module.exit_json(
        changed=False,
        startds=[as_result(startd) for startd in chosen.values()],
        missing=missing,
        conflicts=conflicts(everyone),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={"name": {"type": "list", "elements": "str", "default": ["*"]}, **ARGUMENTS},
        supports_check_mode=True,
    )
    wrong = problem(module.params)
    if wrong:
        module.fail_json(msg=wrong)
    try:
        run(module, pool(module.params))
    except CondorError as error:
        module.fail_json(**failure(error))


if __name__ == "__main__":
    main()
