"""The helpers of other tests, under their own names."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "condor"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shepherd_io"))
