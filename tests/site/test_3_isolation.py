"""The probes: nothing of the site is reached from a flocking container, and what must be open is."""

from __future__ import annotations

import json
from collections.abc import Callable

from .plays import REPORTS, play
from .report import SEEN


def test_no_probe_leaks_and_every_control_answers(record_property: Callable[[str, object], None]) -> None:
    result = play("verify")
    assert not result.failed, result.failed
    assert result.returncode == 0
    seen = json.loads((REPORTS / "verify" / "verify.json").read_text())
    record_property(SEEN, f"{seen['probes']} probes, {seen['leaks']} leaks")
    assert seen["probes"] > 0
    assert seen["leaks"] == seen["controls_failed"] == 0
