# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layers of protection, one by one, as the roles put them in place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import rules, topology
from .topology import VLAN, Network

MARK = 0x5F01D


def gateway_rules(net: Network, behind: bool = False, **settings: Any) -> None:
    """Load the gateway's table."""
    net.nft("submit", rules.gateway(behind, **settings))


def port_filters(net: Network) -> None:
    """Load the port filter of every node."""
    for node in topology.NODE_MACS:
        net.nft(node, rules.port(node))


def neighbours(net: Network) -> None:
    """Give the gateway permanent neighbours."""
    nodes = rules.plan()["nodes"].values()
    net.ip("submit", "".join(f"neigh replace {n['address']} lladdr {n['mac']} nud permanent dev {VLAN}\n" for n in nodes))


def marked_only(net: Network) -> None:
    """Route only what has passed the table: its mark opens the way."""
    net.ip(
        "submit",
        f"rule add pref 2510 iif lo to {topology.SUBNET} lookup main\n"
        f"rule add pref 2511 fwmark {MARK} to {topology.SUBNET} lookup main\n"
        f"rule add pref 2512 to {topology.SUBNET} blackhole\n"
        f"rule add pref 2514 fwmark {MARK} iif {VLAN} lookup main\n"
        f"rule add pref 2515 iif {VLAN} blackhole\n",
    )


def switches(net: Network) -> None:
    """Set the sysctls of role vlan."""
    for host in ("submit", *topology.NODE_MACS):
        for family, settings in rules.vlan_switches(host).items():
            net.sysctl(host, {f"{family}/conf/{VLAN}/{key}": int(value) for key, value in settings.items()})


def gateway_service(net: Network, directory: Path) -> None:
    """Run the gateway's service once, as its unit does; without tc, which this host's kernel may lack."""
    nft, settings = directory / "flock-gateway.nft", directory / "gateway.json"
    nft.write_text(rules.gateway())
    settings.write_text(json.dumps({**rules.gateway_settings(gateway_tc=False), "rules": str(nft)}))
    files = rules.ROOT / "roles"
    environment = {
        **os.environ,
        "SHEEPFOLD_LIB": str(files / "vlan" / "files"),
        "SHEEPFOLD_GATEWAY": str(settings),
    }
    script = files / "gateway" / "files" / "flock_gateway.py"
    # What it writes to /run stays in a mount namespace of its own, where /sys is that of the network namespace.
    alone = f"mount -t tmpfs none /run && mount -t sysfs none /sys && exec {sys.executable} -B {script} load"
    words = ["nsenter", f"--net={net.path('submit')}", "unshare", "--mount", "sh", "-c", alone]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the gateway's service does not load: {done.stderr.strip()}")
