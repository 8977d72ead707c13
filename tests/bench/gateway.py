# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the gateway's rules cost on this host's kernel: `python -m tests.bench.gateway`, as root. Prints a JSON list of figures.

With 100,000 networks in the deny set; a figure is the median of the rounds' ratios to a path whose gateway only forwards
(``gateway_paths.py``). On a machine that is busy with other things they scatter widely.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import gateway_paths, gateway_rules
from tests.bench.closing import close_when_ended


def main() -> None:
    """Measure and print."""
    if shutil.which("iperf3") is None:
        sys.exit("iperf3 is missing: expected the Debian package iperf3")
    close_when_ended()
    with tempfile.TemporaryDirectory() as directory:
        gateway_rules.write(Path(directory))
        seen = gateway_paths.measured(Path(directory))
    print(json.dumps(gateway_rules.figures(seen, "gateway"), indent=1))


if __name__ == "__main__":
    main()
