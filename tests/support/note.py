"""A line in the table of the target that is running (tools/target)."""

from __future__ import annotations

import os
from pathlib import Path

#: The variable that names the file of a target's times: seconds, outcome and name in each line, with tabs between.
FILE = "SHEEPFOLD_TIMES"


def note(seconds: float, outcome: str, name: str) -> None:
    """Add a line to the target's times; nothing outside of a target."""
    if os.environ.get(FILE):
        line = f"{seconds:.2f}\t{outcome}\t{' '.join(name.split())}\n"
        with Path(os.environ[FILE]).open("a") as file:
            # One write, so that lines of several processes do not mix.
            file.write(line)
