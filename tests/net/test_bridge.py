# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bridge of the flock's dockerd is made and deleted by its unit, and no other link is, whatever the settings name."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight import macvlan

ROLE = Path(__file__).resolve().parents[2] / "roles" / "macvlan"
UNIT = (ROLE / "templates" / "flock-docker.service.j2").read_text()
Host = Callable[..., subprocess.CompletedProcess[str]]
OURS = ("192.0.2.1/30", macvlan.BRIDGE_ALIAS)


@pytest.fixture(name="host")
def fixture_host() -> Iterator[Host]:
    """Return what runs a command on a host of its own, whose /sys is its own too."""
    name = "flock-bridge"

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["ip", "netns", "exec", name, *command], capture_output=True, text=True, check=False, timeout=30)

    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield run
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def unit(host: Host, bridge: str, address: str = "192.0.2.1/30") -> tuple[int, str]:
    """Start and stop the unit, as far as the bridge goes: what its own lines say."""
    commands = re.findall(r"(?m)^Exec(?:StartPre|StopPost)=-?(.*\{\{ macvlan_bridge.*|ip link.*|.*/flock-bridge.*)$", UNIT)
    assert len(commands) > 1
    said, failed = "", 0
    for command in commands:
        text = command.replace("{{ macvlan_bridge }}", bridge).replace("{{ macvlan_bridge_address }}", address)
        done = host(*text.replace("/usr/local/lib/sheepfold/flock-bridge", str(ROLE / "files" / "flock-bridge")).split())
        failed, said = failed or done.returncode, said + done.stderr
    return failed, said


def links(host: Host) -> dict[str, tuple[str, str]]:
    """Return the bridges with their addresses and aliases."""
    found: list[dict[str, dict[str, Any]]] = []
    for what in ("address", "link"):
        listed = json.loads(host("ip", "-json", what, "show", "type", "bridge").stdout or "[]")
        found.append({each["ifname"]: each for each in listed if each})
    addresses, aliases = found
    return {
        name: (" ".join(f"{a['local']}/{a['prefixlen']}" for a in addresses[name]["addr_info"]), aliases[name].get("ifalias", ""))
        for name in addresses
    }


def make(host: Host, *arguments: str) -> subprocess.CompletedProcess[str]:
    return host(str(ROLE / "files" / "flock-bridge"), "make", *arguments)


@pytest.mark.parametrize("name", ["br0", "docker0", "flock0"])
def test_a_bridge_of_the_sites_stays_as_it_is(host: Host, name: str) -> None:
    for words in (("link", "add", name, "type", "bridge"), ("address", "add", "10.27.1.220/24", "dev", name)):
        assert host("ip", *words).returncode == 0
    before = links(host)
    failed, said = unit(host, name)
    assert links(host) == before == {name: ("10.27.1.220/24", "")}
    assert (failed, said.startswith(f"flock-bridge: macvlan_bridge is {name}, a link that was not made here: expected")) == (
        1,
        True,
    )


def test_a_bridge_with_ports_is_the_sites_and_so_is_what_is_no_bridge(host: Host) -> None:
    for words in (("flock0", "type", "bridge"), ("port0", "master", "flock0", "type", "veth"), ("flock1", "type", "veth")):
        assert host("ip", "link", "add", *words).returncode == 0
    # Even with the alias.
    host("ip", "link", "set", "flock1", "alias", macvlan.BRIDGE_ALIAS)
    assert unit(host, "flock0")[0] == unit(host, "flock1")[0] == 1
    assert links(host) == {"flock0": ("", "")}
    assert host("ip", "link", "show", "flock1").returncode == 0


def test_the_flocks_own_is_made_and_goes(host: Host) -> None:
    assert unit(host, "flock7", "192.0.2.5/30") == (0, "")
    assert links(host) == {}
    assert make(host, "flock7", "192.0.2.5/30").returncode == make(host, "flock7", "192.0.2.5/30").returncode == 0
    assert links(host) == {"flock7": ("192.0.2.5/30", macvlan.BRIDGE_ALIAS)}
    # A new name in the settings: the earlier one goes as well.
    assert unit(host, "flock8") == (0, "")
    assert links(host) == {}


def test_that_of_an_earlier_version_is_taken_over(host: Host) -> None:
    for words in (("link", "add", "flock0", "type", "bridge"), ("address", "add", "192.0.2.1/30", "dev", "flock0")):
        host("ip", *words)
    assert make(host, "flock0", "192.0.2.1/30").returncode == 0
    assert links(host) == {"flock0": OURS}
    assert unit(host, "flock0") == (0, "")
    assert links(host) == {}
