#!/usr/bin/python
# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module network_host_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_host_info
short_description: What a host offers to the flock's network
version_added: "1.1.0"
description:
  - Reads interfaces, routes, policy rules and the kernel's modules. Changes nothing, loads no module and asks no network.
options:
  modules:
    description: Modules of the kernel to look for.
    type: list
    elements: str
    default: []
  files:
    description: Files to look for.
    type: list
    elements: path
    default: []
  nft_check:
    description: A ruleset that nftables is to look at, without loading it; empty for none.
    type: str
    default: ""
  route_table:
    description: A routing table to look at; 0 for none.
    type: int
    default: 0
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Reads only.
    support: none
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
author:
  - Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: Look what this host offers for the VLAN
  sheepfold.htcondor.network_host_info:
    modules: [8021q]
  register: vlan__seen
"""

RETURN = r"""
interfaces:
  description:
    - By name the C(mtu), the C(master) or an empty string, the C(alias), the C(ports) of a bridge (none for what is no bridge),
      and the IPv4 C(addresses) with their prefix lengths.
  returned: always
  type: dict
  sample: {"em1": {"mtu": 1500, "master": "", "alias": "", "ports": null, "addresses": ["192.168.1.220/24"]}}
default_interfaces:
  description: Interfaces that carry an IPv4 default route of the main table.
  returned: always
  type: list
  elements: str
modules:
  description: For each module that was asked for whether the kernel has it, built in, loaded or to be loaded.
  returned: always
  type: dict
files:
  description: For each file that was asked for whether it is there.
  returned: always
  type: dict
kernel:
  description: Release of the kernel that runs.
  returned: always
  type: str
nft:
  description: Whether nftables is C(installed), and the C(error) that it finds in the ruleset, or an empty string.
  returned: always
  type: dict
rp_filter:
  description: The sysctl net.ipv4.conf.all.rp_filter.
  returned: always
  type: int
conntrack_max:
  description: The sysctl net.netfilter.nf_conntrack_max, 0 where connection tracking is not loaded.
  returned: always
  type: int
gc_thresh3:
  description: The sysctl net.ipv4.neigh.default.gc_thresh3, most entries of the table of neighbours.
  returned: always
  type: int
ipsec_policies:
  description: How many IPsec policies the kernel has that are for a tunnel.
  returned: always
  type: int
helpers:
  description: Helpers of connection tracking that are loaded, as C(ftp).
  returned: always
  type: list
  elements: str
port_range:
  description: The sysctl net.ipv4.ip_local_port_range.
  returned: always
  type: list
  elements: int
rule_priorities:
  description: Priorities of the IPv4 policy rules that are not the flock's, which have protocol kernel.
  returned: always
  type: list
  elements: int
open_rules:
  description: Priorities of the rules that send every packet to the table main, the usual one (32766) left out.
  returned: always
  type: list
  elements: int
routes_in_table:
  description: How many IPv4 routes the table has that was asked for, those that are as the flock's left out.
  returned: always
  type: int
"""

import json
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

INTERFACES = Path("/sys/class/net")
MODULES = Path("/sys/module")
HELPERS = ("amanda", "ftp", "h323", "irc", "netbios_ns", "pptp", "sane", "sip", "snmp", "tftp")
SYSCTL = Path("/proc/sys")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def read(path: Path) -> str:
    """Return a file's text, or an empty one."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def numbers(name: str) -> list[int]:
    """Return the numbers of a sysctl."""
    return [int(word) for word in read(SYSCTL / name.replace(".", "/")).split()]


def kernel_has(module: str) -> bool:
    """Return whether the kernel has a module, built in, loaded or to be loaded."""
    if Path("/sys/module", module).exists():
        return True
    try:
        return subprocess.run(["modinfo", module], capture_output=True).returncode == 0
    except OSError:
        return False


def nft(ruleset: str) -> dict[str, Any]:
    """Return whether there is nftables, and what it says against a ruleset."""
    if not ruleset:
        return {"installed": shutil.which("nft", path=PATH) is not None, "error": ""}
    try:
        trial = subprocess.run(["nft", "--check", "--file", "-"], input=ruleset, capture_output=True, text=True)
    except OSError:
        return {"installed": False, "error": ""}
    said = trial.stderr.splitlines() or [f"exit status {trial.returncode}"]
    return {"installed": True, "error": said[0] if trial.returncode else ""}


def ip(*arguments: str) -> list[dict[str, Any]]:
    """Return what iproute2 lists; nothing where it fails, as for a table that is not there."""
    try:
        output = subprocess.run(["ip", "-json", "-4", *arguments], capture_output=True, text=True).stdout
        found: list[dict[str, Any]] = json.loads(output or "[]")
    except (OSError, ValueError):
        return []
    return [each for each in found if each]


def ipsec_policies() -> int:
    """Return how many of IPsec's policies are for a tunnel; none where the kernel has no IPsec."""
    try:
        listed = subprocess.run(["ip", "xfrm", "policy"], capture_output=True, text=True).stdout
    except OSError:
        return 0
    return sum(" mode tunnel" in line for line in listed.splitlines())


def helpers() -> list[str]:
    """Return the helpers that look for the flows which others announce."""
    return [name for name in HELPERS if (MODULES / f"nf_conntrack_{name}").exists()]


def interfaces() -> dict[str, dict[str, Any]]:
    """Return all interfaces."""
    addresses: dict[str, list[str]] = {
        each["ifname"]: [f"{info['local']}/{info['prefixlen']}" for info in each["addr_info"] if "local" in info]
        for each in ip("address", "show")
    }
    return {
        path.name: {
            "mtu": int(read(path / "mtu") or 0),
            "master": (path / "master").resolve().name if (path / "master").exists() else "",
            "alias": read(path / "ifalias"),
            "ports": sorted(each.name for each in (path / "brif").iterdir()) if (path / "brif").is_dir() else None,
            "addresses": addresses.get(path.name, []),
        }
        for path in sorted(INTERFACES.iterdir())
        # bonding_masters is a file.
        if path.is_dir()
    }


def default_interfaces() -> list[str]:
    """Return the interfaces of default routes, those of a route with several ways among them."""
    ways = [way for route in ip("route", "show", "default") for way in (route, *route.get("nexthops", []))]
    return sorted({way["dev"] for way in ways if "dev" in way})


def open_rules(rules: list[dict[str, Any]]) -> list[int]:
    """Return the priorities of rules without a condition that ask the table main before its usual place."""
    unconditional = {"priority", "src", "table", "protocol", "suppress_prefixlen"}
    return [
        rule["priority"]
        for rule in rules
        if rule.get("table") in ("main", "254")
        and rule.get("src") == "all"
        and not rule.keys() - unconditional
        and rule["priority"] < 32766
    ]


def is_the_flocks(rule: dict[str, Any]) -> bool:
    """Return whether a policy rule may be the flock's: it has the kernel's protocol, and is not of the kernel's own."""
    own = rule["priority"] == 0 or rule["priority"] > 32765 or any(key.startswith("l3mdev") for key in rule)
    return rule.get("protocol") == "kernel" and not own


def is_denied(route: dict[str, Any]) -> bool:
    """Return whether a route is as the flock's: it leads nowhere, or on to the next table."""
    return route.get("protocol") == "kernel" and route.get("type") in ("blackhole", "throw")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "modules": {"type": "list", "elements": "str", "default": []},
            "files": {"type": "list", "elements": "path", "default": []},
            "nft_check": {"type": "str", "default": ""},
            "route_table": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    table, rules = module.params["route_table"], ip("-details", "rule", "show")
    routes = ip("-details", "route", "show", "table", str(table)) if table else []
    module.exit_json(
        changed=False,
        interfaces=interfaces(),
        default_interfaces=default_interfaces(),
        modules={name: kernel_has(name) for name in module.params["modules"]},
        files={path: Path(path).exists() for path in module.params["files"]},
        kernel=platform.release(),
        nft=nft(module.params["nft_check"]),
        rp_filter=sum(numbers("net.ipv4.conf.all.rp_filter")),
        conntrack_max=sum(numbers("net.netfilter.nf_conntrack_max")),
        gc_thresh3=sum(numbers("net.ipv4.neigh.default.gc_thresh3")),
        ipsec_policies=ipsec_policies(),
        helpers=helpers(),
        port_range=numbers("net.ipv4.ip_local_port_range"),
        rule_priorities=[rule["priority"] for rule in rules if not is_the_flocks(rule)],
        open_rules=open_rules(rules),
        routes_in_table=len([route for route in routes if not is_denied(route)]),
    )


if __name__ == "__main__":
    main()
