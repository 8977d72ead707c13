# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module shepherd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: shepherd
short_description: Run one cycle of the shepherd, from a playbook or on a schedule
version_added: "1.0.0"
description:
  - Looks at the pool, decides which idle nodes are lent to the flock and which come back, and sends the commands, as the daemon
    of the same name does in each of its cycles. Nothing is waited for. What comes of the commands is seen in the next cycle.
  - An opening lasts for C(lease) of O(settings). The module has to run several times in that time, or the nodes close by
    themselves.
  - It does nothing beside a daemon, or another run of this module. Whoever holds the lock in O(state_directory) is the shepherd.
options:
  settings:
    description:
      - How the shepherd behaves, as in the daemon's configuration. The names, their defaults and what they mean are in
        the documentation of the shepherd.
    type: dict
    default: {}
  access_points:
    description: Names of the local access points. By default all that the collector knows, without those of O(foreign_domains).
    type: list
    elements: str
    default: []
  foreign_domains:
    description: Access points that the collector has authenticated as somebody of these domains are not local.
    type: list
    elements: str
    default: []
  state_directory:
    description:
      - Where the memory of the cycles, the lock and the overrides are. It is made when it is not there.
      - The overrides are C(flockoff), C(flockoff.d/NODE) and C(holds.d/NODE).
    type: path
    default: /var/lib/shepherd
attributes:
  check_mode:
    description: Looks and decides, sends and remembers nothing.
    support: full
  diff_mode:
    description: Shows the state and the lease of each node before, and what the commands are to make of them.
    support: full
  idempotent:
    description: Each run is a cycle. Its decisions depend on time, and leases that are running out are renewed.
    support: none
extends_documentation_fragment:
  - sheepfold.htcondor.htcondor
seealso:
  - module: sheepfold.htcondor.startd
  - module: sheepfold.htcondor.queue_info
author:
  - Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: Lend what is idle, keep a third at home
  sheepfold.htcondor.shepherd:
    settings:
      reserve: 0.34
      lease: 1800
    foreign_domains: [flock-in.sips]

- name: Say what would be done
  sheepfold.htcondor.shepherd:
  check_mode: true
  register: plan
"""

RETURN = r"""
nodes:
  description: One entry for each node.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of its regular side, without the domain.
      type: str
    state:
      description:
        - What it was seen to be. One of local, draining local, flock, draining flock, unknown, conflict, quarantined, held, off.
      type: str
    since:
      description: Since when, in seconds since the epoch.
      type: int
    wanted:
      description: What it is to be, local or flock; null when it is left as it is.
      type: str
    reason:
      description: Why, one sentence.
      type: str
    actions:
      description: What was sent to it (in check mode, what would be).
      type: list
      elements: str
    cores:
      description: Cores of its regular side.
      type: int
    local_jobs:
      description: Slots of its regular side that are claimed.
      type: int
    foreign_jobs:
      description: Slots of its flocking side that are claimed.
      type: int
    open_until:
      description: When the flocking side's lease ends, in seconds since the epoch; 0 without one.
      type: int
cycle:
  description: What the cycle found for the pool as a whole.
  returned: success
  type: dict
  sample:
    {"policy": "balance", "wish": "…", "demand_cores": 0, "idle_jobs": 0, "cores": 8, "local_cores": 4, "lent_cores": 4,
     "reserve_cores": 4, "frozen": [], "breaker": false, "off": "", "core_hours_lost": 0.0}
failed_commands:
  description: Commands that failed; the node is tried again in a later cycle.
  returned: success
  type: list
  elements: dict
  contains:
    node:
      description: The node's name.
      type: str
    command:
      description: What was sent.
      type: str
    error:
      description: What HTCondor said.
      type: str
"""

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.options import ARGUMENTS, failure, problem
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd import journal, summary
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.configuration import (
    Configuration,
    ConfigurationError,
    parse,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cycle import CycleRunner, Report, prepare
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import Decision, PairState
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.state.leader_lock import LeaderLock

_AFTER = {
    Verb.DRAIN: PairState.DRAINING_LOCAL,
    Verb.CANCEL_DRAIN: PairState.LOCAL,
    Verb.OPEN: PairState.FLOCK,
    Verb.CLOSE: PairState.DRAINING_FLOCK,
    Verb.VACATE: PairState.DRAINING_FLOCK,
}
"""what a command is to make of a node"""


def configuration(params: dict[str, Any]) -> Configuration:
    """The options as the daemon's configuration. Raises ConfigurationError."""
    return parse(
        {
            "settings": params["settings"],
            "pool": {
                "collector": params["collector"],
                "flock_collector": params["flock_collector"],
                "command_tokens": params["command_tokens"],
                "transport": params["transport"],
                "timeout": params["timeout"],
                "stale_after": params["stale_after"],
                "settle": params["settle"],
            },
            "scope": {"access_points": params["access_points"], "foreign_domains": params["foreign_domains"]},
            "state_directory": params["state_directory"],
        }
    )


def difference(report: Report) -> dict[str, dict[str, dict[str, Any]]]:
    """States and leases before, and what the commands that were taken (or are planned) make of them."""
    found: dict[str, dict[str, dict[str, Any]]] = {"before": {}, "after": {}}
    if report.snapshot is None or report.decisions is None:
        return found
    pairs = {pair.name: pair for pair in report.snapshot.pairs}
    failed = {(result.node, result.verb) for result in report.results if result.error}

    def after(decision: Decision, seen: dict[str, Any]) -> dict[str, Any]:
        made = dict(seen)
        if decision.node in report.skipped:
            return made
        for action in decision.actions:
            if (decision.node, action.verb) in failed:
                break
            made["state"] = _AFTER[action.verb].value if action.verb in _AFTER else made["state"]
            if action.verb is Verb.OPEN and report.snapshot is not None:
                made["open_until"] = report.snapshot.taken + action.command.lease
            elif action.verb is Verb.CLOSE:
                made["open_until"] = 0
        return made

    for decision in report.decisions.nodes:
        flocking = pairs[decision.node].flocking
        seen = {"state": decision.state.value, "open_until": flocking.open_until if flocking else 0}
        found["before"][decision.node] = seen
        found["after"][decision.node] = after(decision, seen)
    return found


def result_of(report: Report, check: bool) -> dict[str, Any]:
    """What the module returns."""
    nodes = summary.nodes(report)
    return {
        "changed": any(node["actions"] for node in nodes) if check else any(not result.error for result in report.results),
        "nodes": nodes,
        "cycle": summary.whole(report).get("cycle", {}),
        "failed_commands": [
            {"node": result.node, "command": result.verb.value, "error": result.error}
            for result in report.results
            if result.error and not result.refused
        ],
        "diff": difference(report),
    }


def run(module: AnsibleModule, cycle: CycleRunner) -> None:
    report = cycle.run(plan=module.check_mode)
    cycle.close()
    if report.error:
        module.fail_json(msg=report.error)
    for sentence in report.problems:
        module.warn(sentence)
    module.exit_json(**result_of(report, module.check_mode))


def lead(module: AnsibleModule, found: Configuration) -> LeaderLock | None:
    """Become the shepherd; in check mode nobody has to. Fails the module when somebody else is."""
    if module.check_mode:
        return None
    lock = LeaderLock(Path(found.state_directory) / "lock")
    try:
        lock.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if lock.acquire():
            return lock
    except OSError as error:
        module.fail_json(msg=f"state_directory is {found.state_directory}: expected a directory to write to ({error.strerror})")
    module.fail_json(msg=f"process {lock.holder()} is the shepherd now ({lock.path}): expected none beside it")
    return None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "default": {}},
            "access_points": {"type": "list", "elements": "str", "default": []},
            "foreign_domains": {"type": "list", "elements": "str", "default": []},
            "state_directory": {"type": "path", "default": "/var/lib/shepherd"},
            **ARGUMENTS,
        },
        supports_check_mode=True,
    )
    wrong = problem(module.params)
    if wrong:
        module.fail_json(msg=wrong)
    try:
        found = configuration(module.params)
    except ConfigurationError as error:
        module.fail_json(msg=str(error))
        return
    lock = lead(module, found)
    try:
        run(module, prepare(found, log=journal.silent, seed=os.uname().nodename))
    except CondorError as error:
        module.fail_json(**failure(error))
    finally:
        if lock:
            lock.release()


if __name__ == "__main__":
    main()
