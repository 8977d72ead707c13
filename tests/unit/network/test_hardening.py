# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the gateway's units may do."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

TEMPLATES = Path(__file__).resolve().parents[3] / "roles/gateway/templates"


@pytest.mark.parametrize("unit", ["flock-gateway.service.j2", "flock-gateway-guard.service.j2"])
@pytest.mark.parametrize(
    ("command", "families"),
    [("", "AF_NETLINK AF_UNIX"), ("ping -c 1 192.0.2.1", "AF_NETLINK AF_UNIX AF_INET AF_INET6")],
)
def test_ip_sockets_are_for_the_sites_own_command(unit: str, command: str, families: str) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=False, trim_blocks=True)
    environment.filters["comment"] = str
    text = environment.get_template(unit).render(
        gateway__options={"health_command": command}, gateway__python="/usr/bin/python3", ansible_managed=""
    )
    lines = text.splitlines()
    assert f"RestrictAddressFamilies={families}" in lines
    assert "CapabilityBoundingSet=CAP_NET_ADMIN" in lines
    assert "SystemCallArchitectures=native" in lines
