# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look whether this node's port can be filtered. Changes nothing; prints what is missing, a sentence a line."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

EGRESS_HOOK = (5, 16)
TRIAL = "table netdev flock_trial { chain c { type filter hook egress device lo priority 0; policy accept; }; }"


def kernel_has(module: str) -> bool:
    """Return whether the kernel has a module, built in, loaded or to be loaded."""
    if Path("/sys/module", module).exists():
        return True
    try:
        return subprocess.run(["modinfo", module], capture_output=True).returncode == 0
    except OSError:
        return False


def problems() -> Iterator[str]:
    """Yield what is missing."""
    release = platform.release()
    found = re.match(r"(\d+)\.(\d+)", release)
    if found is None or (int(found[1]), int(found[2])) < EGRESS_HOOK:
        yield f"the kernel is {release}: expected 5.16 or later, whose nftables can filter what leaves by an interface"
    else:
        try:
            trial = subprocess.run(["nft", "--check", "--file", "-"], input=TRIAL, capture_output=True, text=True)
        except OSError:
            yield "nft is missing: expected the package nftables"
        else:
            if trial.returncode != 0:
                yield f"nftables refuses a chain at the egress hook: expected it to be taken ({trial.stderr.splitlines()[0]})"
    for module in ("cls_flower", "sch_ingress", "act_gact"):
        if not kernel_has(module):
            yield f"the kernel has no module {module}: expected it for the filter at the node's port"


if __name__ == "__main__":
    print("\n".join(problems()))
