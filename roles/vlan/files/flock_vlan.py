# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flocking VLAN's subinterface: up, down, probe.

It is made with `loose_binding`: otherwise the kernel would take it up by itself whenever its parent comes up, also after
a guard had closed it.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIBRARY = os.environ.get("SHEEPFOLD_LIB", "/usr/local/lib/sheepfold")
sys.path.insert(0, LIBRARY)

from flock_interface import CONFIGURATION, set_mac, set_switches
from flock_net import RUN_DIRECTORY, Failure, link_exists, run, say, set_link, write_atomically

MADE = RUN_DIRECTORY / "vlan.interface"
#: What we made is known by it: a VLAN of the site's own is neither used nor deleted, whatever the settings say.
ALIAS = "sheepfold: the flocking VLAN"

_ARP = 0x0806
_EVERY = 0x0003  # ETH_P_ALL
_SOL_PACKET = 263
_ADD_MEMBERSHIP = 1
_PROMISCUOUS = 1


def up(vlan: Mapping[str, Any]) -> None:
    """Make the interface or bring it into the wanted form, and take it up, or down where its rules are missing."""
    name = vlan["interface"]
    made = _made()
    if link_exists(name) and not _is_ours(name, made) and vlan["networkd"]:
        raise Failure(f"flock.vlan_id makes {name}, which is there and was not made here: expected it to be the flock's alone")
    if made not in ("", name):
        _delete(made)
    if not link_exists(name):
        if vlan["networkd"]:
            # Its setting for this interface must be read before the interface is there. No error where it does not run.
            subprocess.run(["networkctl", "reload"], capture_output=True, timeout=30)
        binding = ("loose_binding", "on")
        run("ip", "link", "add", "link", vlan["parent"], "name", name, "type", "vlan", "id", str(vlan["vlan_id"]), *binding)
    if _alias(name) != ALIAS:
        run("ip", "link", "set", "dev", name, "alias", ALIAS)
    write_atomically(MADE, name, 0o644)
    set_switches(name, vlan["switches"])
    _form(vlan)
    if _may_open(vlan):
        set_link(name, True)
    else:
        # The guard opens what it finds closed, once the rules are in.
        if vlan["table"]:
            write_atomically(RUN_DIRECTORY / "gateway.closed", "")
        # NetworkManager has taken it up by itself.
        set_link(name, False)
        say(f"{name} stays down until its rules are loaded.")


def _form(vlan: Mapping[str, Any]) -> None:
    name = vlan["interface"]
    link = json.loads(run("ip", "-json", "-details", "address", "show", "dev", name))[0]
    kind = link["linkinfo"]
    if kind.get("info_kind") != "vlan" or kind["info_data"]["id"] != vlan["vlan_id"] or link.get("link") != vlan["parent"]:
        raise Failure(f"{name} is there and is not VLAN {vlan['vlan_id']} on {vlan['parent']}")
    if "LOOSE_BINDING" not in kind["info_data"].get("flags", []):
        run("ip", "link", "set", "dev", name, "type", "vlan", "loose_binding", "on")
    set_mac(name, vlan["mac"])
    if link["mtu"] != vlan["mtu"]:
        run("ip", "link", "set", "dev", name, "mtu", str(vlan["mtu"]))
    there = {f"{item['local']}/{item['prefixlen']}" for item in link["addr_info"] if item["family"] == "inet"}
    wanted = {vlan["address"]} if vlan["address"] else set()
    for address in there - wanted:
        run("ip", "address", "del", address, "dev", name)
    for address in wanted - there:
        run("ip", "address", "add", address, "dev", name)


def _may_open(vlan: Mapping[str, Any]) -> bool:
    if any((RUN_DIRECTORY / f"{service}.closed").exists() for service in ("gateway", "port")):
        return False
    if not vlan["table"]:
        return True
    return subprocess.run(["nft", "--terse", "list", "table", *vlan["table"]], capture_output=True).returncode == 0


def _is_vlan(name: str) -> bool:
    return Path("/proc/net/vlan", name).exists()


def _alias(name: str) -> str:
    try:
        return Path("/sys/class/net", name, "ifalias").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _made() -> str:
    """Return the interface that was made last since the host came up, or nothing."""
    return MADE.read_text(encoding="utf-8").strip() if MADE.exists() else ""


def _is_ours(name: str, made: str) -> bool:
    # Earlier versions gave no alias, and noted the name.
    return _alias(name) == ALIAS or (name == made and not _alias(name))


def _delete(name: str) -> None:
    if link_exists(name) and _is_vlan(name) and _is_ours(name, _made()):
        run("ip", "link", "del", "dev", name)


def down(vlan: Mapping[str, Any]) -> None:
    """Take the interface away."""
    _delete(vlan["interface"])
    MADE.unlink(missing_ok=True)


def probe(vlan: Mapping[str, Any]) -> None:
    """Ask for the gateway by ARP, as the node's container would, three times in three seconds.

    Asked in the container's name, because the port filter knows nobody else, whether it is loaded or not.

    Raises:
        Failure: nobody answered.
    """
    name, sender, mac = vlan["interface"], vlan["probe_address"], vlan["probe_mac"]
    if not sender:
        return
    source = bytes.fromhex(mac.replace(":", ""))
    asked, asking = socket.inet_aton(vlan["gateway"]), socket.inet_aton(sender)
    header = b"\xff" * 6 + source + struct.pack("!H", _ARP)
    request = header + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + source + asking + bytes(6) + asked
    # Every protocol, not ARP alone: where the container runs, its macvlan takes the answer before a single protocol's listener.
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY)) as wire:
        wire.bind((name, _EVERY))
        # The answer goes to the container's address, which the card need not know yet.
        membership = struct.pack("IHH8s", socket.if_nametoindex(name), _PROMISCUOUS, 0, b"")
        wire.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
        wire.settimeout(0.2)
        for _ in range(3):
            wire.send(request)
            until = time.monotonic() + 1
            while time.monotonic() < until:
                try:
                    frame = wire.recv(64)
                except socket.timeout:
                    continue
                if frame[12:14] == header[12:14] and frame[20:22] == b"\0\2" and frame[28:32] == asked:
                    return
    raise Failure(
        f"the gateway {vlan['gateway']} does not answer on VLAN {vlan['vlan_id']}: expected the switch port of"
        f" {vlan['parent']} to carry this VLAN tagged, and role gateway to be in force on the gateway"
    )


def main() -> int:
    """Run the command named on the command line."""
    commands = {"up": up, "down": down, "probe": probe}
    vlan = json.loads(CONFIGURATION.read_text(encoding="utf-8"))
    try:
        commands[sys.argv[1]](vlan)
    except (Failure, OSError) as problem:
        say(f"{vlan['interface']}: {problem}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
