"""The helpers beside these tests, and those of the adapter's tests, under their own names."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "condor")]
