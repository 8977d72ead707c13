# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths through gateways of several kinds, and what comes through each. Standard library alone: it also runs in a guest.

As root, `python gateway_paths.py DIRECTORY`: what the role would install is in the directory (``gateway_rules.py``). Prints
a JSON object of what was measured.

Equal paths of network namespaces, container - gateway - Internet, stand side by side: on one the gateway only forwards, on one
it masquerades and does nothing else, as the smallest router of a private network must, on one it runs what the role installs
(rules, policy rules, neighbours), and on one that with a flowtable, where the kernel has it. They are measured in turn, so that
what else the machine does meets all.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROUNDS = 15
SECONDS = 1
CONTAINER, GATEWAY, WAN_GATEWAY, SERVER = "10.27.2.220", "10.27.2.1", "203.0.113.1", "203.0.113.80"
VLAN = "em1.2512"
FORWARDS, MASQUERADES, FILTERS, OFFLOADS = "forwards", "masquerades", "filters", "offloads"
MASQUERADE = "table ip only_nat { chain out { type nat hook postrouting priority srcnat; oifname wan masquerade\n }\n}\n"
TRIALS = {
    "flower": ["tc filter add dev {vlan} ingress protocol ip flower action pass"],
    "flowtable": ["nft add table inet try", "nft add flowtable inet try f { hook ingress priority 0; devices = { {vlan} }; }"],
}
"""What a kernel must be able to do, as commands."""


def sh(*argv: str, given: str | None = None) -> str:
    """Run a command; what it says when it fails is part of the error."""
    done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def space(kind: str, part: str) -> str:
    """Return the name of a path's namespace; ``part``: ``c`` (container), ``g`` (gateway) or ``w`` (WAN)."""
    return f"sfb-{kind}-{part}"


@contextlib.contextmanager
def namespaces(*names: str) -> Iterator[None]:
    """Network namespaces with a loopback interface, gone afterwards."""
    try:
        for name in names:
            sh("ip", "netns", "add", name)
            sh("ip", "-n", name, "link", "set", "lo", "up")
        yield
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def kernel_can(what: str) -> bool:
    """Return whether this kernel has one of ``TRIALS``."""
    with namespaces("sfb-try"):
        inside = ("ip", "netns", "exec", "sfb-try")
        sh(*inside, "ip", "link", "add", VLAN, "type", "veth", "peer", "name", "v1")
        sh(*inside, "tc", "qdisc", "add", "dev", VLAN, "clsact")
        commands = [command.replace("{vlan}", VLAN).split() for command in TRIALS[what]]
        return all(subprocess.run([*inside, *command], capture_output=True).returncode == 0 for command in commands)


@contextlib.contextmanager
def path(kind: str, macs: dict[str, str]) -> Iterator[None]:
    """Three namespaces in a row with a server listening in the last. ``macs``: by address, of container and gateway."""
    client, gateway, wan = (space(kind, part) for part in "cgw")
    with namespaces(client, gateway, wan):
        sh("ip", "-n", gateway, "link", "add", VLAN, "type", "veth", "peer", "name", "eth0", "netns", client)
        sh("ip", "-n", gateway, "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", wan)
        sh("ip", "-n", gateway, "link", "set", VLAN, "address", macs[GATEWAY])
        sh("ip", "-n", client, "link", "set", "eth0", "address", macs[CONTAINER])
        for name, device, address in (
            (gateway, VLAN, GATEWAY),
            (gateway, "wan", WAN_GATEWAY),
            (client, "eth0", CONTAINER),
            (wan, "eth0", SERVER),
        ):
            sh("ip", "-n", name, "address", "add", f"{address}/24", "dev", device)
            sh("ip", "-n", name, "link", "set", device, "up")
        sh("ip", "-n", client, "route", "add", "default", "via", GATEWAY)
        sh("ip", "-n", wan, "route", "add", "10.27.2.0/24", "via", WAN_GATEWAY)
        sh("ip", "netns", "exec", gateway, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        server = subprocess.Popen(["ip", "netns", "exec", wan, "iperf3", "-s"], stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            server.terminate()
            server.wait()


def load_rules(kind: str, directory: Path) -> int:
    """Load all that the role installs, and return the number of elements in the kernel's deny set."""
    settings = json.loads((directory / "gateway.json").read_text())
    settings |= {"rules": str(directory / "flock-gateway.nft"), "tc": kernel_can("flower")}
    settings["limits"] = str(directory / "flock-limits.nft")
    settings["flowtable"] = str(directory / "flock-offload.nft") if kind == OFFLOADS else ""
    configuration = directory / f"{kind}.json"
    configuration.write_text(json.dumps(settings))
    environment = {
        **os.environ,
        "SHEEPFOLD_LIB": str(directory),
        "SHEEPFOLD_GATEWAY": str(configuration),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    program = f"mount -t tmpfs none /run && exec {sys.executable} {directory}/flock_gateway.py load"
    argv = ["ip", "netns", "exec", space(kind, "g"), "unshare", "--mount", "sh", "-c", program]
    subprocess.run(argv, env=environment, check=True, timeout=600)
    listed = sh("ip", "netns", "exec", space(kind, "g"), "nft", "--json", "list", "set", "inet", "flock_gateway", "denied")
    return sum(len(item.get("set", {}).get("elem", [])) for item in json.loads(listed)["nftables"])


def measure(kind: str, *options: str) -> dict[str, Any]:
    """Send for a while along a path and return what arrived, as iperf3 sums it up."""
    argv = ["iperf3", "-J", "-t", str(SECONDS), "-c", SERVER, *options]
    for attempt in range(3):
        try:
            end: dict[str, Any] = json.loads(sh("ip", "netns", "exec", space(kind, "c"), *argv))["end"]
        except RuntimeError:
            if attempt == 2:
                raise
            time.sleep(0.5)
        else:
            return end
    raise AssertionError


def bits(kind: str) -> float:
    """Return the TCP throughput in bits per second."""
    return float(measure(kind)["sum_received"]["bits_per_second"])


def packets(kind: str) -> float:
    """Return how many datagrams of 64 bytes came through per second.

    Counted at the server's interface: what its socket then loses because nobody reads in time is not the gateway's doing.
    """
    before = arrived(kind)
    seconds = measure(kind, "-u", "-b", "0", "-l", "64")["sum"]["seconds"]
    return (arrived(kind) - before) / float(seconds)


def arrived(kind: str) -> int:
    """Return the packets that the server's interface has received."""
    links = json.loads(sh("ip", "-n", space(kind, "w"), "-json", "-stats", "link", "show", "dev", "eth0"))
    return int(links[0]["stats64"]["rx"]["packets"])


def rounds(probe: Callable[[str], float], kinds: list[str]) -> dict[str, list[float]]:
    """Return what a probe has measured on each path, round by round."""
    seen: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind, values in seen.items():
            values.append(probe(kind))
    return seen


def measured(directory: Path) -> dict[str, Any]:
    """Return the elements in the deny set, and by probe and path what the rounds have measured."""
    macs = json.loads((directory / "macs.json").read_text())
    kinds = [FORWARDS, MASQUERADES, FILTERS, *([OFFLOADS] if kernel_can("flowtable") else [])]
    with contextlib.ExitStack() as stack:
        for kind in kinds:
            stack.enter_context(path(kind, macs))
        sh("ip", "netns", "exec", space(MASQUERADES, "g"), "nft", "-f", "-", given=MASQUERADE)
        elements = min(load_rules(kind, directory) for kind in kinds[2:])
        print(f"{elements} elements in the deny set", file=sys.stderr, flush=True)
        return {"elements": elements, "tcp": rounds(bits, kinds), "pps": rounds(packets, kinds)}


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]))))
