# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role installs on a gateway with a long list of denied networks, as files; and figures from what was measured."""

from __future__ import annotations

import ipaddress
import json
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure, at_least, shown
from tests.bench.gateway_paths import CONTAINER, FILTERS, FORWARDS, GATEWAY, MASQUERADES, OFFLOADS
from tests.net import rules

ROOT = Path(__file__).resolve().parents[2]
DENIED = 100_000
GOALS = {"tcp": 0.9, "pps": 0.8}
UNITS = {"tcp": "bit/s", "pps": "packets/s"}
LIBRARY = ("flock_net", "flock_events", "flock_files", "flock_interface", "flock_notify", "flock_service")
PROGRAMS = (
    *(
        f"roles/gateway/files/{name}.py"
        for name in ("flock_applied", "flock_gateway", "flock_forwarding", "flock_limits", "flock_neighbours", "flock_routing")
    ),
    *(f"roles/vlan/files/{name}.py" for name in LIBRARY),
    "tests/bench/gateway_paths.py",
)
FAST = ("gateway_megabytes_per_second", "gateway_total_megabytes_per_second")


def write(directory: Path) -> None:
    """Write rules, settings and programs."""
    plan = rules.plan()
    first = int(ipaddress.IPv4Address("11.0.0.0"))
    denied = [*plan["denied"], *(f"{ipaddress.IPv4Address(first + 2 * i)}" for i in range(DENIED))]
    # The bandwidth limit is there and counts, but must not be what is measured.
    settings: dict[str, Any] = {"flock_plan": {**plan, "denied": denied}, **dict.fromkeys(FAST, 10_000)}
    (directory / "flock-gateway.nft").write_text(rules.gateway(**settings))
    (directory / "flock-limits.nft").write_text(rules.limits(**settings))
    (directory / "flock-offload.nft").write_text(rules.offload(**settings))
    (directory / "gateway.json").write_text(json.dumps(rules.gateway_settings(**settings)))
    macs = {node["address"]: node["mac"] for node in plan["nodes"].values()}
    (directory / "macs.json").write_text(json.dumps({GATEWAY: plan["gateway"]["mac"], CONTAINER: macs[CONTAINER]}))
    for program in PROGRAMS:
        shutil.copy(ROOT / program, directory)


def figures(seen: dict[str, Any], prefix: str) -> list[Figure]:
    """Return the figures: of the rules, with the goals, and of the rules with a flowtable where there is one.

    ``seen``: what ``gateway_paths.py`` prints. Ends the program when the kernel has fewer elements than were written.
    """
    if seen["elements"] < DENIED:
        sys.exit(f"the deny set has {seen['elements']} elements: expected {DENIED}")
    found = []
    for probe, goal in GOALS.items():
        values = seen[probe]
        masquerades = ratio(values[MASQUERADES], values[FORWARDS])
        bare = f"{statistics.median(values[FORWARDS]):.3g} {UNITS[probe]} without rules, {seen['elements']} elements with"
        beside = f"a router that only masquerades, itself {masquerades:.3f} of forwarding"
        for kind, name in ((FILTERS, f"{prefix}_{probe}"), (OFFLOADS, f"{prefix}_flowtable_{probe}")):
            if kind in values:
                print(name, *(f"{b / a:.2f}" for a, b in zip(values[FORWARDS], values[kind])), file=sys.stderr)
                of_masquerading = ratio(values[kind], values[MASQUERADES])
                found.append(at_least(f"{name}_ratio", ratio(values[kind], values[FORWARDS]), "ratio", goal, bare, digits=3))
                found.append(shown(f"{name}_of_masquerading_ratio", of_masquerading, "ratio", beside, digits=3))
    return found


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(above, below))
