# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look whether this host can be the flock's gateway. Changes nothing; prints what is missing, a sentence a line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def kernel_has(module: str) -> bool:
    """Return whether the kernel has a module, built in, loaded or to be loaded."""
    if Path("/sys/module", module).exists():
        return True
    try:
        return subprocess.run(["modinfo", module], capture_output=True).returncode == 0
    except OSError:
        return False


def output(*argv: str) -> str:
    """Return what a command prints; nothing where it fails."""
    try:
        return subprocess.run(argv, capture_output=True, text=True).stdout
    except OSError:
        return ""


def problems(wanted: dict[str, Any]) -> Iterator[str]:
    """Yield what is missing."""
    wan = wanted["wan_interface"]
    if not Path("/sys/class/net", wan).exists():
        there = ", ".join(sorted(path.name for path in Path("/sys/class/net").iterdir()))
        yield f"flock.wan_interface is {wan}: expected an interface of this host ({there})"
    if wan == wanted["interface"]:
        yield f"flock.wan_interface is {wan}: expected another interface than the flocking VLAN's"
    hints = dict.fromkeys(("nf_tables", "nf_conntrack", "nfnetlink_log"), "")
    if wanted["tc"]:
        hints |= dict.fromkeys(("cls_flower", "sch_ingress", "act_gact"), ", or gateway_tc false")
    if wanted["flowtable"]:
        hints["nft_flow_offload"] = ", or gateway_flowtable false"
    for module, hint in hints.items():
        if not kernel_has(module):
            yield f"the kernel has no module {module}: expected it for the gateway's rules{hint}"
    if Path("/etc/sheepfold/gateway/gateway.json").exists():
        return
    first, table = wanted["rule_priority"], wanted["route_table"]
    for rule in json.loads(output("ip", "-json", "-4", "rule", "show") or "[]"):
        if first - 1 <= rule["priority"] < first + 7:
            taken = rule["priority"]
            yield f"gateway_rule_priority is {first}: expected {first - 1} to {first + 6} to be free, and {taken} is not"
    if output("ip", "-4", "route", "show", "table", str(table)).strip():
        yield f"gateway_route_table is {table}: expected a table without routes"


if __name__ == "__main__":
    print("\n".join(problems(json.loads(sys.argv[1]))))
