#!/usr/bin/python

# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module condor_running_config."""

from __future__ import annotations

DOCUMENTATION = r"""
module: condor_running_config
short_description: See that HTCondor's running daemons have what snippets append to their configuration
version_added: "1.1.0"
description:
  - Asks the master, the collector, the negotiator, the access point and the startd of this host for what they have, and compares
    it with what their files say.
  - Daemons that have not read their files yet are waited for.
options:
  directory:
    description: The directory of snippets (one of HTCondor's C(LOCAL_CONFIG_DIR)).
    type: path
    default: /etc/condor/config.d
  snippets:
    description: Names of snippets in it. Other values than those that they append to are not compared.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds to wait for daemons that have not read their files yet.
    type: int
    default: 60
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
seealso:
  - module: sheepfold.htcondor.condor_snippets
author: Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: See that the daemons have read it
  sheepfold.htcondor.condor_running_config:
    snippets: [60-flock-node.conf]
"""

RETURN = r"""
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration.running import differences
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration.tools import Refused

SILENCE_S = 20


def run(module: AnsibleModule) -> None:
    params = module.params
    directory = Path(params["directory"])
    start = time.monotonic()
    end = start + params["timeout"]
    try:
        texts = [(directory / name).read_text(errors="replace") for name in params["snippets"]]
        while found := differences(texts):
            # One that may not be asked stays silent.
            soon = all(not difference.name for difference in found)
            if time.monotonic() >= (min(end, start + SILENCE_S) if soon else end):
                break
            time.sleep(1)
    except Refused as refusal:
        module.fail_json(msg=str(refusal), cmd=refusal.command, rc=refusal.rc, stdout=refusal.stdout, stderr=refusal.stderr)
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    for difference in found:
        if not difference.name:
            # Who may ask is the site's business; what it says is the flock's.
            module.warn(str(difference))
    different = [str(difference) for difference in found if difference.name]
    if different:
        module.fail_json(msg="\n".join(different))
    module.exit_json(changed=False)


def main() -> None:
    run(
        AnsibleModule(
            argument_spec={
                "directory": {"type": "path", "default": "/etc/condor/config.d"},
                "snippets": {"type": "list", "elements": "str", "required": True},
                "timeout": {"type": "int", "default": 60},
            },
            supports_check_mode=True,
        )
    )


if __name__ == "__main__":
    main()
