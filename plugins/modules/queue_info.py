# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module queue_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: queue_info
short_description: See what waits at the access points of an HTCondor pool, and where it could run
version_added: "1.0.0"
description:
  - Says which jobs are idle, in groups of jobs that are alike, and which machines could run one of each if they were empty.
  - Jobs that need no slot (scheduler, local and grid universe) are left out.
options:
  access_points:
    description: Names of the access points. By default all that the collector knows, without those of O(foreign_domains).
    type: list
    elements: str
    default: []
  foreign_domains:
    description: Access points that the collector has authenticated as somebody of these domains are left out.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - sheepfold.htcondor.htcondor
  - sheepfold.htcondor.htcondor.info_module
notes:
  - Queues are asked through HTCondor's Python bindings where the host has them, whatever O(transport) is. Without them every
    idle job counts as one that could run anywhere.
seealso:
  - module: sheepfold.htcondor.shepherd
author:
  - Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: See what waits
  sheepfold.htcondor.queue_info:
    foreign_domains: [flock-in.sips]
  register: queue

- name: Do not begin the maintenance while much waits
  ansible.builtin.assert:
    that: queue.cores < 100
"""

RETURN = r"""
access_points:
  description: One entry for each access point.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    heard:
      description: When the collector got its ad, in seconds since the epoch; 0 when there is none.
      type: int
    idle_jobs:
      description: How many idle jobs its ad names, whatever they need.
      type: int
idle:
  description: One entry for each group of idle jobs.
  returned: success
  type: list
  elements: dict
  contains:
    access_point:
      description: Where they wait.
      type: str
    jobs:
      description: How many.
      type: int
    cores:
      description: Cores of one.
      type: int
    since:
      description: Since when the first of them waits, in seconds since the epoch; 0 when that is not known.
      type: int
    machines:
      description: Full names of the hosts that could run one, were they empty; null for all, or when that is not known.
      type: list
      elements: str
jobs:
  description: Idle jobs of all groups.
  returned: success
  type: int
cores:
  description: Their cores.
  returned: success
  type: int
unknown:
  description: What could not be found out, a sentence each.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.adapter import Pool
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.options import ARGUMENTS, failure, pool, problem
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.queues import Queues, bindings_of, queues
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.scope import Scope
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.observe.snapshot import waiting

_SLOTS = "FlockNode =!= true && DynamicSlot =!= true && BackfillSlot =!= true"


def run(module: AnsibleModule, adapter: Pool, way: Queues) -> None:
    params = module.params
    scope = Scope(tuple(params["access_points"]), tuple(params["foreign_domains"]))
    collector = adapter.site_collector()
    found = waiting(adapter, way, scope, collector=collector, taken=adapter.now(), patience=0, slots=_SLOTS)()
    module.exit_json(
        changed=False,
        access_points=[{"name": each.name, "heard": each.heard, "idle_jobs": each.idle_jobs} for each in found.access_points],
        idle=[
            {
                "access_point": schedd.name,
                "jobs": group.jobs,
                "cores": group.cores,
                "since": group.oldest,
                "machines": None if group.machines is None else sorted(group.machines),
            }
            for schedd, group in found.idle
        ],
        jobs=sum(group.jobs for _schedd, group in found.idle),
        cores=sum(group.jobs * group.cores for _schedd, group in found.idle),
        unknown=list(found.notes),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "access_points": {"type": "list", "elements": "str", "default": []},
            "foreign_domains": {"type": "list", "elements": "str", "default": []},
            **ARGUMENTS,
        },
        supports_check_mode=True,
    )
    wrong = problem(module.params)
    if wrong:
        module.fail_json(msg=wrong)
    try:
        run(module, pool(module.params), queues(module.params["timeout"], bindings_of(module.params["timeout"])))
    except CondorError as error:
        module.fail_json(**failure(error))


if __name__ == "__main__":
    main()
