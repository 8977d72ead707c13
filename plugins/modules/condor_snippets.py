#!/usr/bin/python

# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep snippets of HTCondor's configuration."""

from __future__ import annotations

DOCUMENTATION = r"""
module: condor_snippets
short_description: Keep snippets of HTCondor's configuration, all or none
description:
  - Writes or removes snippets of configuration, and files that they name, after HTCondor itself has read the result beside
    the live configuration. Nothing is touched when it cannot be read.
  - Sees in every run that what the snippets say would be in force for every daemon of the host. It is not where another file of
    the site, read later, defines the same parameter, nor where the site has it for a single daemon. Nothing is touched then, and
    the message names the parameter, its value, and the file and line where it stands.
  - What a line appends to a parameter's own value, such as another address to C(DENY_READ), is appended to what the site has for
    single daemons, too (C(COLLECTOR.DENY_READ), C(DENY_READ_COLLECTOR)). The lines for that are added at the snippet's end.
  - Other files in the directory are left alone.
author: Sheepfold contributors (@sheepfold)
version_added: 0.1.0
options:
  directory:
    description: The directory of snippets (one of HTCondor's C(LOCAL_CONFIG_DIR)).
    type: path
    default: /etc/condor/config.d
  snippets:
    description: Content by name of file. A snippet with empty content shall not exist.
    type: dict
    default: {}
  files:
    description: Files outside O(directory) that the snippets name.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      content:
        description: Its content. Empty when it shall not exist; a directory that becomes empty by that is removed too.
        type: str
        default: ""
      mode:
        description: Its permissions, as text of octal digits.
        type: str
        default: "0644"
  expressions:
    description: Parameters that must be readable as ClassAd expressions where they are defined.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The parameter.
        type: str
        required: true
      subsystem:
        description: The daemon that reads it, such as COLLECTOR.
        type: str
        default: ""
      local_name:
        description: The daemon's local name.
        type: str
        default: ""
requirements:
  - HTCondor's C(condor_config_val) and C(condor_status)
attributes:
  check_mode:
    description: Can run in check mode and tell what would be changed. The check by HTCondor is done there too.
    support: full
  diff_mode:
    description: >-
      Shows each changed file before and after. What is new or removed has one line; with C(-v) its content is shown too.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Tell a regular startd from a flocking one
  sheepfold.htcondor.condor_snippets:
    snippets:
      60-flock-node.conf: |
        FlockNode = False
        STARTD_ATTRS = $(STARTD_ATTRS) FlockNode
    expressions:
      - name: START
        subsystem: STARTD
  notify: Reconfigure HTCondor
"""

RETURN = r"""
files:
  description: Files that were written or removed, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [/etc/condor/config.d/60-flock-node.conf]
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration.snippets import SnippetFile, apply, changes
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration.staging import Expression, prepared
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration.tools import Refused
from ansible_collections.sheepfold.htcondor.plugins.module_utils.host.file_diff import FileDiff


def run(module: AnsibleModule) -> None:
    params = module.params
    directory = Path(params["directory"])
    snippets = {name: str(content or "") for name, content in params["snippets"].items()}
    for name in snippets:
        if "/" in name:
            module.fail_json(msg=f"snippets has {name!r}: expected the name of a file, without a directory")
    files = []
    for entry in params["files"]:
        try:
            mode = int(entry["mode"], 8)
        except ValueError:
            module.fail_json(msg=f"mode of {entry['path']} is {entry['mode']!r}: expected octal digits such as 0644")
        files.append(SnippetFile(Path(entry["path"]), entry["content"], mode))
    expressions = [Expression(entry["name"], entry["subsystem"], entry["local_name"]) for entry in params["expressions"]]
    try:
        snippets = prepared(directory, snippets, expressions)
        todo = changes([*(SnippetFile(directory / name, text, 0o644) for name, text in snippets.items()), *files])
        if not module.check_mode:
            apply(directory, todo)
    except Refused as refusal:
        module.fail_json(msg=str(refusal), cmd=refusal.command, rc=refusal.rc, stdout=refusal.stdout, stderr=refusal.stderr)
    except OSError as error:
        module.fail_json(msg=f"{error.filename or directory}: {error.strerror}")
    diff = FileDiff(whole=module._verbosity > 0)
    for change in todo:
        diff.text(str(change.file.path), change.before or None, change.file.content or None)
    module.exit_json(
        changed=bool(todo),
        files=[str(change.file.path) for change in todo],
        diff=diff.result(),
    )


def main() -> None:
    run(
        AnsibleModule(
            argument_spec={
                "directory": {"type": "path", "default": "/etc/condor/config.d"},
                "snippets": {"type": "dict", "default": {}},
                "files": {
                    "type": "list",
                    "elements": "dict",
                    "default": [],
                    "options": {
                        "path": {"type": "path", "required": True},
                        "content": {"type": "str", "default": ""},
                        "mode": {"type": "str", "default": "0644"},
                    },
                },
                "expressions": {
                    "type": "list",
                    "elements": "dict",
                    "default": [],
                    "options": {
                        "name": {"type": "str", "required": True},
                        "subsystem": {"type": "str", "default": ""},
                        "local_name": {"type": "str", "default": ""},
                    },
                },
            },
            supports_check_mode=True,
        )
    )


if __name__ == "__main__":
    main()
