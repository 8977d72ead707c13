"""What cannot work is one sentence, and nothing has changed anywhere: what only a real host can tell.

The description's own mistakes are in tests/unit/site. Part of `make test-site-full`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from lab import jobs

from .full import only_full
from .plays import ROOT, play

DESCRIPTION = ROOT / "inventories/lab/group_vars/all/flock.yml"
TOKEN = "/etc/condor/tokens.d/remote"
MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("VLAN id", {"flock": {"vlan_id": 4095}}, "flock.vlan_id is 4095: expected a whole number from 1 to 4094"),
    (
        "missing parent",
        {"flock": {"parent": "em9"}},
        "flock.parent (or flock_parent) is em9: expected an interface of this host",
    ),
    ("missing WAN interface", {"flock": {"wan_interface": "wan9"}}, "flock.wan_interface is wan9: expected"),
    (
        "subnet of another interface",
        {"flock": {"subnet": "192.168.76.0/24", "gateway": "192.168.76.77"}},
        "expected a network without hosts in it",
    ),
    (
        "image without digest",
        {"image_source": "registry", "image_reference": "registry.example/flock:latest"},
        "image_reference is 'registry.example/flock:latest': expected name@sha256:digest",
    ),
]
pytestmark = only_full


def _arguments(changes: dict[str, Any]) -> list[str]:
    described = yaml.safe_load(DESCRIPTION.read_text())["flock"]
    changes = {**changes, **({"flock": {**described, **changes["flock"]}} if "flock" in changes else {})}
    return ["--extra-vars", json.dumps(changes)]


def _refused(name: str, arguments: list[str], sentence: str) -> None:
    result = play("site", *arguments, label=f"bad-input-{name.replace(' ', '-')}")
    assert result.returncode != 0
    assert result.changed == ()
    messages = {message for _, _, message in result.failed}
    assert any(sentence in message for message in messages), messages


@pytest.mark.parametrize(("name", "changes", "sentence"), MISTAKES, ids=lambda value: str(value)[:30])
def test_a_mistake_is_told_before_anything_is_changed(name: str, changes: dict[str, Any], sentence: str) -> None:
    _refused(name, _arguments(changes), sentence)


def test_a_token_that_others_may_read_is_refused() -> None:
    jobs.on("submit", f"chmod 0644 {TOKEN}")
    try:
        _refused("token", [], TOKEN)
    finally:
        jobs.on("submit", f"chmod 0600 {TOKEN}")
