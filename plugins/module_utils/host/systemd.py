# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says of itself."""

from __future__ import annotations

import re
import shutil
import subprocess

PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/sbin:/bin"
TIMEOUT_S = 60


def ask(*arguments: str) -> str:
    """Return what systemctl prints, an empty string where there is none or it fails."""
    tool = shutil.which("systemctl", path=PATH)
    if not tool:
        return ""
    try:
        return subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def version() -> int:
    """Return systemd's version, 0 where there is none."""
    found = re.match(r"systemd (\d+)", ask("--version"))
    return int(found.group(1)) if found else 0
