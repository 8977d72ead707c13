"""The helpers beside these tests, under their own names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_site import FakeSite


@pytest.fixture
def site(tmp_path: Path) -> FakeSite:
    """Two nodes, p220 and p221, both local and empty, verified a minute ago; an access point with an empty queue."""
    return FakeSite(tmp_path)
