"""A description that is right, to be spoilt by the tests."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def flock() -> dict[str, Any]:
    return {
        "vlan_id": 2512,
        "parent": "em1",
        "subnet": "10.27.2.0/24",
        "gateway": "10.27.2.1",
        "wan_interface": "wan",
        "private_networks": ["10.27.1.0/24"],
        "dns_servers": ["203.0.113.53"],
        "domain": "sips",
        "central_manager": {"host": "submit", "wan_address": "203.0.113.1"},
    }


@pytest.fixture
def groups() -> dict[str, list[str]]:
    return {
        "flock_gateway": ["submit"],
        "flock_central_manager": ["submit"],
        "flock_access_point": ["submit"],
        "flock_nodes": ["p220", "p221"],
    }
