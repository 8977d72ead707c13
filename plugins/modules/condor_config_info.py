#!/usr/bin/python

# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module condor_config_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: condor_config_info
short_description: Read parameters of HTCondor's configuration
version_added: "1.1.0"
description:
  - Asks HTCondor for the values of parameters as one of its daemons sees them, in one call.
options:
  names:
    description: The parameters.
    type: list
    elements: str
    required: true
  subsystem:
    description: The daemon that reads them, such as MASTER.
    type: str
    default: ""
  local_name:
    description: The daemon's local name.
    type: str
    default: ""
requirements:
  - HTCondor's C(condor_config_val)
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
author: Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: Ask HTCondor which daemons it starts
  sheepfold.htcondor.condor_config_info:
    names: [CONDOR_VERSION, DAEMON_LIST]
    subsystem: MASTER
  register: condor
"""

RETURN = r"""
parameters:
  description: Values by name, empty where there is none. One that has several lines in the configuration has them in one here.
  returned: success
  type: dict
  sample: {"CONDOR_VERSION": "23.9.6", "DAEMON_LIST": "MASTER STARTD"}
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration.tools import DaemonView, Refused, live_root, values


def run(module: AnsibleModule) -> None:
    params = module.params
    for name in params["names"]:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
            module.fail_json(msg=f"names has {name!r}: expected the name of a parameter")
    daemon = DaemonView(params["subsystem"], params["local_name"])
    try:
        answers = values(live_root(), daemon, {name: f"$({name})" for name in params["names"]})
    except Refused as refusal:
        module.fail_json(msg=str(refusal), cmd=refusal.command, rc=refusal.rc, stdout=refusal.stdout, stderr=refusal.stderr)
    module.exit_json(changed=False, parameters=answers)


def main() -> None:
    run(
        AnsibleModule(
            argument_spec={
                "names": {"type": "list", "elements": "str", "required": True},
                "subsystem": {"type": "str", "default": ""},
                "local_name": {"type": "str", "default": ""},
            },
            supports_check_mode=True,
        )
    )


if __name__ == "__main__":
    main()
