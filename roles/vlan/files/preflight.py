# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look whether this host can have the flocking VLAN. Changes nothing; prints what is missing, a sentence a line."""

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


def value(path: str) -> str:
    """Return a file's text; nothing where it is missing."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def problems(wanted: dict[str, Any]) -> Iterator[str]:
    """Yield what is missing."""
    parent, interface = wanted["parent"], wanted["interface"]
    if not Path("/sys/class/net", parent).exists():
        there = ", ".join(sorted(path.name for path in Path("/sys/class/net").iterdir()))
        yield f"flock.parent (or flock_parent) is {parent}: expected an interface of this host ({there})"
    elif int(value(f"/sys/class/net/{parent}/mtu")) < wanted["mtu"]:
        yield f"flock.mtu is {wanted['mtu']}: expected no more than the MTU of {parent}, which is the VLAN's parent here"
    if not kernel_has("8021q"):
        yield "the kernel has no VLANs: expected module 8021q"
    if Path("/sys/class/net", interface).exists() and not Path("/etc/sheepfold/vlan/vlan.json").exists():
        yield f"flock.vlan_id makes {interface}, which this host already has: expected it to be the flock's alone"
    if value("/proc/sys/net/ipv4/conf/all/rp_filter") == "2":
        # The larger of `all` and the interface counts, and 2 is the looser one.
        yield "sysctl net.ipv4.conf.all.rp_filter is 2: expected 0 or 1, because it overrides the strict check of the VLAN"


if __name__ == "__main__":
    print("\n".join(problems(json.loads(sys.argv[1]))))
