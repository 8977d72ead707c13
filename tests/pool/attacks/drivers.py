"""How each driver of the switch is deployed on a test pool's execute point."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

import switch_site

INSTALL: dict[str, Callable[..., None]] = {"newuidmap": switch_site.install}
if importlib.util.find_spec("userv_site"):
    INSTALL["userv"] = importlib.import_module("userv_site").install
