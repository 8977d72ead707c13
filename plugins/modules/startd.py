# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module startd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: startd
short_description: Open, drain and stop startds of an HTCondor pool, and see that it came to pass
version_added: "1.0.0"
description:
  - Brings startds, regular or flocking ones, to a state, and looks until they are observed there.
  - A flocking startd (one whose ad says C(FlockNode = True)) is opened by a lease. It closes by itself when that is not renewed.
    Jobs that run then go on to their end.
  - A regular startd is drained by HTCondor's own drain, with a reason that says whose it is.
  - A startd whose state is unknown is refused. The others are dealt with, and the task fails in the end.
options:
  name:
    description:
      - Which startds, by the names of their hosts with or without the domain. Shell patterns are understood.
      - A name or a pattern that no startd has is an error.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(on) lets jobs start. A flocking startd is opened for O(lease) seconds. One that has more than half of that left is
        not changed.
      - V(drained) lets no job start and is reached when none runs. A startd that is off is left as it is.
      - A startd that is off counts as drained when its master's ad says so, within C(MASTER_UPDATE_INTERVAL).
      - V(off) stops the startd. Its master holds that in memory and starts it again after a restart of its own.
    type: str
    choices: ["on", drained, "off"]
    required: true
  how:
    description:
      - What becomes of jobs that run. V(peaceful) lets them run to their end.
      - V(peaceful) with O(state=drained) takes a regular startd only when it runs nothing. That is tried again
        until O(wait) is over.
      - V(graceful) gives them what C(MAXJOBRETIREMENTTIME) and their own settings allow, which is nothing by default.
      - V(fast) kills them.
    type: str
    choices: [peaceful, graceful, fast]
    default: peaceful
  lease:
    description: Seconds that a flocking startd stays open.
    type: int
    default: 900
  wait:
    description:
      - Seconds to wait until every startd is observed in O(state). Not to see one there in time is a failure.
      - With V(0) the commands are sent, and nothing is known of what comes of them.
    type: int
    default: 60
  reason:
    description: What our drains are marked with. A drain whose reason begins otherwise belongs to somebody else.
    type: str
    default: sheepfold
  force:
    description: Also cancel drains that belong to somebody else.
    type: bool
    default: false
  exclusive:
    description:
      - Open no startd while the other one of its host (C(FlockHost) in the flocking startd's ad) is anything but drained or off.
      - Nor a regular startd while a young collector or a running lease leaves it open what the flocking one does.
    type: bool
    default: true
attributes:
  check_mode:
    description: Looks and predicts, sends nothing.
    support: full
  diff_mode:
    description: Shows each startd's state before and after.
    support: full
  idempotent:
    description: A second run right after the first changes nothing.
    support: full
extends_documentation_fragment:
  - sheepfold.htcondor.htcondor
seealso:
  - module: sheepfold.htcondor.startd_info
author:
  - Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: Take an idle regular startd out of local work
  sheepfold.htcondor.startd:
    name: p220
    state: drained
    wait: 120

- name: Open the flocking startd beside it for a quarter of an hour
  sheepfold.htcondor.startd:
    name: f220
    state: "on"
    lease: 900

- name: Close every flocking startd and end what runs there
  sheepfold.htcondor.startd:
    name: f*
    state: drained
    how: fast
"""

RETURN = r"""
startds:
  description: What became of each startd.
  returned: always, when the pool answered
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
    before:
      description: What it was seen to be.
      type: str
      sample: "on"
    state:
      description: What it is seen to be (in check mode, what it would be), one of on, draining, drained, off, unknown.
      type: str
      sample: drained
    why:
      description: Why its state is unknown, or why it is not certain that it is off.
      type: str
    actions:
      description: What was sent to it (in check mode, what would be).
      type: list
      elements: str
      sample: ["drain (peaceful)"]
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
    reached:
      description: Whether it was seen where it was wanted.
      type: bool
    error:
      description: The last thing that went wrong with it.
      type: str
cmd:
  description: The command of HTCondor that failed.
  returned: when one failed
  type: list
  elements: str
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.adapter import Adapter
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import Goal, How, StartdGoal
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.options import (
    ARGUMENTS,
    as_result,
    failure,
    pool,
    problem,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.reconcile import StartdOutcome, reconcile, select

_AHEAD = 60
_BEHIND = 600


def wrong_option(params: dict[str, Any]) -> str:
    """What is wrong with the options, one sentence; empty when nothing is."""
    if params["lease"] <= 0:
        return f"lease is {params['lease']}: expected a number of seconds above 0"
    if params["wait"] < 0:
        return f"wait is {params['wait']}: expected a number of seconds, 0 or more"
    if not params["reason"]:
        return "reason is empty: expected a word that marks our drains"
    return problem(params)


def complaint(outcome: StartdOutcome, wait: int) -> str:
    """Why a startd is not where it was wanted, one sentence."""
    if outcome.error:
        return outcome.error
    seen = outcome.after.state.value + (f" with {outcome.after.busy} busy slots" if outcome.after.busy else "")
    seen += f", {outcome.after.why}" if outcome.after.why else ""
    return f"{outcome.before.name} was not observed there within {wait} s, it is {seen}"


def result_of(outcomes: dict[str, StartdOutcome]) -> dict[str, Any]:
    """What the module returns."""
    return {
        "changed": any(outcome.changed for outcome in outcomes.values()),
        "startds": [
            {
                **as_result(outcome.after),
                "before": outcome.before.state.value,
                "actions": [str(action) for action in outcome.actions],
                "reached": outcome.reached,
                "error": outcome.error,
            }
            for outcome in outcomes.values()
        ],
        "diff": {
            when: {
                key: {"state": startd.state.value, "open_until": startd.open_until}
                for key, startd in ((key, getattr(outcome, when)) for key, outcome in outcomes.items())
            }
            for when in ("before", "after")
        },
    }


def run(module: AnsibleModule, adapter: Adapter) -> None:
    params = module.params
    goal = Goal(
        wanted=StartdGoal(params["state"]),
        how=How(params["how"]),
        lease=params["lease"],
        reason=params["reason"],
        force=params["force"],
        exclusive=params["exclusive"],
    )
    everyone = adapter.observe()
    chosen, missing = select(params["name"], everyone)
    if missing:
        module.fail_json(
            msg=f"name is {', '.join(missing)}: expected startds that the collector knows, and it knows "
            f"{', '.join(everyone) or 'none'}"
        )
    outcomes = reconcile(
        adapter, chosen, everyone, goal, wait=params["wait"], check=module.check_mode, sleep=time.sleep, clock=time.monotonic
    )
    result = result_of(outcomes)
    for outcome in outcomes.values():
        if outcome.after.flocking and not -_BEHIND <= outcome.after.clock_offset <= _AHEAD:
            module.warn(f"the clock of {outcome.after.name} is {outcome.after.clock_offset} s off; its leases end by that clock")
    failed = [outcome for outcome in outcomes.values() if outcome.error or (params["wait"] and not outcome.reached)]
    if failed:
        module.fail_json(msg="; ".join(complaint(outcome, params["wait"]) for outcome in failed), **result)
    module.exit_json(**result)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["on", "drained", "off"], "required": True},
            "how": {"type": "str", "choices": ["peaceful", "graceful", "fast"], "default": "peaceful"},
            "lease": {"type": "int", "default": 900},
            "wait": {"type": "int", "default": 60},
            "reason": {"type": "str", "default": "sheepfold"},
            "force": {"type": "bool", "default": False},
            "exclusive": {"type": "bool", "default": True},
            **ARGUMENTS,
        },
        supports_check_mode=True,
    )
    wrong = wrong_option(module.params)
    if wrong:
        module.fail_json(msg=wrong)
    try:
        run(module, pool(module.params))
    except CondorError as error:
        module.fail_json(**failure(error))


if __name__ == "__main__":
    main()
