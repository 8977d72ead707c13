# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interfaces of the host that asks."""

from __future__ import annotations

import json
import subprocess


def interfaces() -> list[dict[str, str]]:
    """Return this host's interfaces: name, MAC address and IPv4 address, one entry for each address or bare interface."""
    done = subprocess.run(["ip", "-json", "address", "show"], capture_output=True, text=True, check=True)
    found = []
    for link in json.loads(done.stdout or "[]"):
        if link["ifname"] != "lo":
            addresses = [item["local"] for item in link.get("addr_info", ()) if item["family"] == "inet"]
            one = {"interface": link["ifname"], "mac": link.get("address", "")}
            found += [{**one, "address": address} for address in addresses or [""]]
    return found
