# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the gateway's rules cost: `python -m tests.bench.gateway`, as root. Prints a JSON list of figures.

Three equal paths of network namespaces, container - gateway - Internet, stand side by side: on one the gateway only forwards,
on one it masquerades and does nothing else, as the smallest router of a private network must, and on one it runs what the role
installs (rules, policy rules, neighbours), with 100,000 networks in the deny set. They are measured in turn, so that what else
the machine does meets all; a figure is the median of the rounds' ratios. On a machine that is busy with other things they
scatter widely.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.closing import close_when_ended
from tests.bench.figures import Figure, at_least, shown
from tests.net import rules

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 15
SECONDS = 1
DENIED = 100_000
CONTAINER, GATEWAY, WAN_GATEWAY, SERVER = "10.27.2.220", "10.27.2.1", "203.0.113.1", "203.0.113.80"
VLAN = "em1.2512"
GOALS = {"gateway_tcp_ratio": 0.9, "gateway_pps_ratio": 0.8}
FORWARDS, MASQUERADES, FILTERS = "sfb0", "sfb1", "sfb2"
MASQUERADE = "table ip only_nat { chain out { type nat hook postrouting priority srcnat; oifname wan masquerade\n }\n}\n"


def sh(*argv: str, given: str | None = None) -> str:
    """Run a command; what it says when it fails is part of the error."""
    done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@contextlib.contextmanager
def path(name: str) -> Iterator[None]:
    """Three namespaces in a row, NAME-c, NAME-g and NAME-w, with a server listening in the last."""
    spaces = [f"{name}-{part}" for part in "cgw"]
    server = None
    try:
        for space in spaces:
            sh("ip", "netns", "add", space)
            sh("ip", "-n", space, "link", "set", "lo", "up")
        client, gateway, wan = spaces
        sh("ip", "-n", gateway, "link", "add", VLAN, "type", "veth", "peer", "name", "eth0", "netns", client)
        sh("ip", "-n", gateway, "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", wan)
        plan = rules.plan()
        sh("ip", "-n", gateway, "link", "set", VLAN, "address", plan["gateway"]["mac"])
        sh("ip", "-n", client, "link", "set", "eth0", "address", plan["nodes"]["p220"]["mac"])
        for space, device, address in (
            (gateway, VLAN, GATEWAY),
            (gateway, "wan", WAN_GATEWAY),
            (client, "eth0", CONTAINER),
            (wan, "eth0", SERVER),
        ):
            sh("ip", "-n", space, "address", "add", f"{address}/24", "dev", device)
            sh("ip", "-n", space, "link", "set", device, "up")
        sh("ip", "-n", client, "route", "add", "default", "via", GATEWAY)
        sh("ip", "-n", wan, "route", "add", "10.27.2.0/24", "via", WAN_GATEWAY)
        sh("ip", "netns", "exec", gateway, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        server = subprocess.Popen(["ip", "netns", "exec", wan, "iperf3", "-s"], stdout=subprocess.DEVNULL)
        yield
    finally:
        if server is not None:
            server.terminate()
            server.wait()
        for space in spaces:
            subprocess.run(["ip", "netns", "del", space], capture_output=True)


def load_rules(gateway: str, directory: Path) -> int:
    """Load all that the role installs, and return the number of elements in the kernel's deny set."""
    plan = rules.plan()
    first = int(ipaddress.IPv4Address("11.0.0.0"))
    denied = [*plan["denied"], *(f"{ipaddress.IPv4Address(first + 2 * i)}" for i in range(DENIED))]
    plan = {**plan, "denied": denied}
    # The bandwidth limit is there and counts, but must not be what is measured.
    settings = {"flock_plan": plan, "gateway_megabytes_per_second": 10_000}
    (directory / "flock-gateway.nft").write_text(rules.gateway(**settings))
    configuration = {
        "interface": VLAN,
        "wan_interface": "wan",
        "subnet": plan["subnet"],
        "address": GATEWAY,
        "nodes": {node["address"]: node["mac"] for node in plan["nodes"].values()},
        "denied": denied,
        "allowed": [],
        "condor_port": 9618,
        "mark": 389149,
        "route_table": 2512,
        "rule_priority": 2510,
        "tc": has_flower(),
        "health_command": "",
        "rules": str(directory / "flock-gateway.nft"),
    }
    (directory / "gateway.json").write_text(json.dumps(configuration))
    program = f"mount -t tmpfs none /run && exec {sys.executable} {ROOT}/roles/gateway/files/flock_gateway.py load"
    environment = {
        **os.environ,
        "SHEEPFOLD_LIB": str(ROOT / "roles/vlan/files"),
        "SHEEPFOLD_GATEWAY": str(directory / "gateway.json"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    argv = ["ip", "netns", "exec", gateway, "unshare", "--mount", "sh", "-c", program]
    subprocess.run(argv, env=environment, check=True, timeout=300)
    listed = json.loads(sh("ip", "netns", "exec", gateway, "nft", "--json", "list", "set", "inet", "flock_gateway", "denied"))
    return sum(len(item.get("set", {}).get("elem", [])) for item in listed["nftables"])


def has_flower() -> bool:
    """Return whether this kernel has the classifier of the role's tc filters; the filters are measured where it has."""
    with tempfile_namespace() as space:
        sh("ip", "-n", space, "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        sh("tc", "-n", space, "qdisc", "add", "dev", "v0", "clsact")
        filters = ["filter", "add", "dev", "v0", "ingress", "protocol", "ip", "flower", "action", "pass"]
        return subprocess.run(["tc", "-n", space, *filters], capture_output=True).returncode == 0


@contextlib.contextmanager
def tempfile_namespace() -> Iterator[str]:
    """Yield a namespace of its own, gone afterwards."""
    sh("ip", "netns", "add", "sfb-try")
    try:
        yield "sfb-try"
    finally:
        sh("ip", "netns", "del", "sfb-try")


def measure(name: str, *options: str) -> dict[str, Any]:
    """Send for a while along a path and return what arrived, as iperf3 sums it up."""
    argv = ["iperf3", "-J", "-t", str(SECONDS), "-c", SERVER, *options]
    for attempt in range(3):
        try:
            end: dict[str, Any] = json.loads(sh("ip", "netns", "exec", f"{name}-c", *argv))["end"]
        except RuntimeError:
            if attempt == 2:
                raise
            time.sleep(0.5)
        else:
            return end
    raise AssertionError


def bits(name: str) -> float:
    """Return the TCP throughput in bits per second."""
    return float(measure(name)["sum_received"]["bits_per_second"])


def packets(name: str) -> float:
    """Return how many datagrams of 64 bytes came through per second.

    Counted at the server's interface: what its socket then loses because nobody reads in time is not the gateway's doing.
    """
    before = arrived(name)
    seconds = measure(name, "-u", "-b", "0", "-l", "64")["sum"]["seconds"]
    return (arrived(name) - before) / float(seconds)


def arrived(name: str) -> int:
    """Return the packets that the server's interface has received."""
    links = json.loads(sh("ip", "-n", f"{name}-w", "-json", "-stats", "link", "show", "dev", "eth0"))
    return int(links[0]["stats64"]["rx"]["packets"])


def rounds(probe: Callable[[str], float]) -> dict[str, list[float]]:
    """Return what a probe has measured on each path, round by round."""
    seen: dict[str, list[float]] = {FORWARDS: [], MASQUERADES: [], FILTERS: []}
    for _ in range(ROUNDS):
        for name, values in seen.items():
            values.append(probe(name))
    return seen


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(above, below))


def figures_of(name: str, unit: str, seen: dict[str, list[float]], elements: int) -> list[Figure]:
    """Return the figure that has a goal, and for comparison what the rules cost a router that masquerades anyway."""
    print(name, *(f"{b / a:.2f}" for a, b in zip(seen[FORWARDS], seen[FILTERS])), file=sys.stderr)
    whole, of_masquerading = ratio(seen[FILTERS], seen[FORWARDS]), ratio(seen[FILTERS], seen[MASQUERADES])
    bare = f"{statistics.median(seen[FORWARDS]):.3g} {unit} without rules, {elements} elements with"
    beside = f"a router that only masquerades, itself {ratio(seen[MASQUERADES], seen[FORWARDS]):.3f} of forwarding"
    return [
        at_least(name, whole, "ratio", GOALS[name], bare, digits=3),
        shown(name.replace("_ratio", "_of_masquerading_ratio"), of_masquerading, "ratio", beside, digits=3),
    ]


def main() -> int:
    """Measure and print."""
    if shutil.which("iperf3") is None:
        sys.exit("iperf3 is missing: expected the Debian package iperf3")
    close_when_ended()
    figures = []
    with tempfile.TemporaryDirectory() as directory, path(FORWARDS), path(MASQUERADES), path(FILTERS):
        sh("ip", "netns", "exec", f"{MASQUERADES}-g", "nft", "-f", "-", given=MASQUERADE)
        elements = load_rules(f"{FILTERS}-g", Path(directory))
        print(f"{elements} elements in the deny set", file=sys.stderr)
        if elements < DENIED:
            sys.exit(f"the deny set has {elements} elements: expected {DENIED}")
        for name, probe, unit in (("gateway_tcp_ratio", bits, "bit/s"), ("gateway_pps_ratio", packets, "packets/s")):
            figures += figures_of(name, unit, rounds(probe), elements)
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
