"""The probes: nothing of the site is reached from a flocking container, and what must be open is."""

from __future__ import annotations

from .plays import play


def test_no_probe_leaks_and_every_control_answers() -> None:
    result = play("verify")
    assert not result.failed, result.failed
    assert result.returncode == 0
