# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same as ``gateway.py`` on Debian's kernel, in a guest of the lab: it has flowtables, which this host's may lack."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from lab import ssh
from lab.topology import BY_NAME
from tests.bench import gateway_rules
from tests.bench.nodes import a_site

HOST = BY_NAME["storage"]
"""It takes no part in what runs between the others, and is a guest for this."""
THERE = "/root/bench"


def packed() -> bytes:
    """Return rules, settings and programs as a tar archive."""
    archive = io.BytesIO()
    with tempfile.TemporaryDirectory() as directory, tarfile.open(fileobj=archive, mode="w") as tar:
        gateway_rules.write(Path(directory))
        tar.add(directory, THERE)
    return archive.getvalue()


def main() -> None:
    """Measure and print."""
    os.environ["SHEEPFOLD_LAB_NAMESPACES"] = "no"
    with redirect_stdout(sys.stderr), a_site():
        subprocess.run(ssh.command(HOST, "tar", "xC", "/"), input=packed(), check=True, timeout=120)
        command = ssh.command(HOST, f"python3 {THERE}/gateway_paths.py {THERE}")
        seen = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=3600).stdout)
    print(json.dumps(gateway_rules.figures(seen, "gateway_guest"), indent=1))


if __name__ == "__main__":
    main()
