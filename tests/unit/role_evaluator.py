"""Evaluates what a task of a role would have: a JSON object with expression and variables a line in, the value a line out.

The first line names the role and what is known of the host. A process of its own: Ansible's importer of collections would stay in
that of the tests.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Answer until the input ends."""
    init_plugin_loader([str(ROOT / "build" / "collections")])
    first = json.loads(sys.stdin.readline())
    role = Path(first["role"])
    loader = DataLoader()
    loader.set_basedir(str(role))
    known: dict[str, Any] = {}
    for part in ("defaults", "vars"):
        if (role / part / "main.yml").exists():
            known |= loader.load_from_file(str(role / part / "main.yml"), trusted_as_template=True)
    known |= {"role_path": str(role), "ansible_search_path": [str(role)], "ansible_managed": "managed"}
    known |= first["known"]
    for line in sys.stdin:
        request = json.loads(line)
        templar = Templar(loader=loader, variables={**known, **request["variables"]})
        value = templar.template(trust_as_template(request["expression"]))
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
