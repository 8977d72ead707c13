# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table that counts the containers' flows. What it has counted is in its sets, and goes when it is replaced."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

LIBRARY = os.environ.get("SHEEPFOLD_LIB", "/usr/local/lib/sheepfold")
sys.path.insert(0, LIBRARY)

from flock_net import MISSING, RUN_DIRECTORY, Table, write_atomically

TABLE = "flock_limits"


class Limits(Table):
    """The table, left alone where the kernel has it as its file says: so that the counts outlive a load of everything."""

    name = "limits"
    loaded_file = RUN_DIRECTORY / "gateway.limits"

    def __init__(self, file: Path) -> None:
        super().__init__("inet", TABLE, file)

    def apply(self) -> None:
        """Load the file, unless what was loaded from it last is still there, unchanged."""
        if self.loaded_file.exists() and self.loaded_file.read_text(encoding="utf-8") == self.state(True):
            return
        super().apply()
        write_atomically(self.loaded_file, self.state(True))

    def state(self, thorough: bool) -> str:
        """Return what the kernel has of the table, and of which file it should be."""
        found = super().state(thorough)
        return found if found == MISSING else f"{found}\n{hashlib.sha256(self.file.read_bytes()).hexdigest()}"

    def remove(self) -> None:
        """Delete the table."""
        super().remove()
        self.loaded_file.unlink(missing_ok=True)
