"""Evaluates what a task of role shepherd would have: a JSON object with expression and variables a line in, the value a line out.

A process of its own: Ansible's importer of collections would stay in that of the tests.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from role_values import ASKED, PLAN, ROLE, ROOT, SECRETS


def main() -> None:
    init_plugin_loader([str(ROOT / "build" / "collections")])
    loader = DataLoader()
    loader.set_basedir(str(ROLE))
    known: dict[str, Any] = {}
    for part in ("defaults", "vars"):
        known |= loader.load_from_file(str(ROLE / part / "main.yml"), trusted_as_template=True)
    known |= {
        "role_path": str(ROLE),
        "ansible_search_path": [str(ROLE)],
        "ansible_managed": "managed",
        "inventory_hostname": "submit",
        "flock_plan": PLAN,
        "shepherd__asked": ASKED,
        "shepherd__looked": {"results": []},
        "shepherd__secrets": SECRETS,
    }
    for line in sys.stdin:
        request = json.loads(line)
        templar = Templar(loader=loader, variables={**known, **request["variables"]})
        value = templar.template(trust_as_template(request["expression"]))
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
