#!/usr/bin/python
# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module probe_report."""

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_report
short_description: Judge isolation probes and write their report
version_added: "1.0.0"
description:
  - From what all hosts sent and saw, says for each probe whether it passed, leaked, or whether something that must work does not.
  - Writes C(verify.json) and C(verify.xml) (JUnit). Does not fail on a leak; look at the returned numbers.
  - A large site is probed in batches of nodes. Each batch adds to the report of the ones before it.
options:
  directory:
    description: Where to write the report, on the host where this runs. It is made if missing.
    type: path
    required: true
  sent:
    description: Results of M(sheepfold.htcondor.probe_send), by host.
    type: dict
    required: true
  seen:
    description: Results of M(sheepfold.htcondor.probe_watch), by host.
    type: dict
    required: true
  containers:
    description:
      - The container of each compute node that was to be probed.
      - A node that is not in O(sent) is reported as a control that failed.
    type: dict
    required: true
  batch:
    description: Number of this batch. The report of batch 0 begins anew, any other is added to.
    type: int
    default: 0
  batches:
    description: How many batches there are. The report is complete after the last.
    type: int
    default: 1
  gateway:
    description: Inventory name of the gateway.
    type: str
    required: true
attributes:
  check_mode:
    description: In check mode the report is judged and not written.
    support: full
  diff_mode:
    description: The report is new each time.
    support: none
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
author:
  - Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: Judge
  sheepfold.htcondor.probe_report:
    directory: /tmp/report
    sent: "{{ sent }}"
    seen: "{{ seen }}"
    containers: {p220: f220}
    gateway: submit
  delegate_to: localhost
"""

RETURN = r"""
table:
  description: The report of this batch for people, line by line.
  returned: always
  type: list
  elements: str
probes:
  description: How many probes this batch had.
  returned: always
  type: int
leaks:
  description: How many probes of this batch leaked.
  returned: always
  type: int
controls_failed:
  description: How many things that must work do not, in this batch.
  returned: always
  type: int
ads:
  description: Attributes for the machine ad of each node.
  returned: always
  type: dict
"""

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results import report, report_file
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.collect import entries as judged
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.judge import FAILED, LEAK, REPORTED


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "sent": {"type": "dict", "required": True},
            "seen": {"type": "dict", "required": True},
            "containers": {"type": "dict", "required": True},
            "gateway": {"type": "str", "required": True},
            "batch": {"type": "int", "default": 0},
            "batches": {"type": "int", "default": 1},
        },
        supports_check_mode=True,
    )
    wanted: dict[str, Any] = module.params
    found = judged(wanted["sent"], wanted["seen"], wanted["containers"])
    now = int(time.time())
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    rules = {host: one["rules"] for host, one in wanted["seen"].items()}
    gateway_rules = rules.get(wanted["gateway"], {}).get("gateway", "")
    if not module.check_mode:
        number = wanted["batch"]
        try:
            report_file.write(
                Path(wanted["directory"]),
                found,
                {"time": when, "rules": rules, "complete": number + 1 >= wanted["batches"]},
                begin=number == 0,
            )
        except report_file.Unreadable as error:
            module.fail_json(msg=str(error))
        except OSError as error:
            module.fail_json(
                msg=f"verify_report_dir is {wanted['directory']}: expected a directory to write to ({error.strerror})"
            )
    module.exit_json(
        changed=False,
        table=report.table(found),
        summary=report.summary(found),
        probes=len(found),
        leaks=report.count(found, LEAK),
        controls_failed=report.count(found, FAILED),
        told=report.count(found, REPORTED),
        ads={
            node: report.attributes(
                found, when=now, place=place, rules=rules.get(node, {}).get("node", ""), gateway_rules=gateway_rules
            )
            for node, place in wanted["containers"].items()
        },
    )


if __name__ == "__main__":
    main()
