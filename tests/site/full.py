"""What only `make test-site-full` and `make test-all` do."""

from __future__ import annotations

import os

import pytest

FULL = os.environ.get("SHEEPFOLD_FULL") == "1"
only_full = pytest.mark.skipif(not FULL, reason="part of make test-site-full and test-all")
