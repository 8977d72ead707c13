"""What a host is like: compared before the roles came and after they went."""

from __future__ import annotations

import difflib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import jobs

from .full import FULL
from .plays import REPORTS

HOSTS = ("submit", "p220", "p221")
BEFORE = REPORTS / "before.json"

#: Each section is one command; what changes by itself (counters, times, process ids) is left out.
SECTIONS = {
    "links": "ip -o -d link | sed 's/promiscuity.*//; s/ qlen.*//'",
    "addresses": "ip -o addr",
    "routes": "ip route show table all | sort",
    "rules": "ip rule",
    "permanent neighbours": "ip neigh show nud permanent",
    "ruleset": "nft -s list ruleset",
    "traffic control": "for d in $(ls /sys/class/net); do tc qdisc show dev $d | grep -c clsact; done",
    "sysctls": "sysctl -a 2>/dev/null | grep -E '^net\\.(ipv4\\.(ip_forward|conf)|ipv6\\.conf|bridge)' | sort",
    "unit files": "cd / && find etc/systemd run/systemd/system run/systemd/network -not -type d 2>/dev/null | sort",
    "active units": "systemctl list-units --no-legend --plain --state=active --type=service,socket,timer"
    " | awk '{print $1}' | sort",
    # HTCondor's tools add to known_hosts when they are used.
    "configuration": "cd /etc && find condor systemd sysctl.d nftables.conf docker sheepfold modules-load.d network udev -type f"
    " -not -path condor/known_hosts -exec sha256sum {} + 2>/dev/null | sort -k2",
    "accounts": "cat /etc/passwd /etc/group /etc/subuid /etc/subgid",
    "state directories": "ls -d /var/lib/* /run/flock* /usr/local/sbin/* /usr/local/lib/* 2>/dev/null | sort",
    "containers of the site": "command -v docker >/dev/null && docker ps --format '{{.Names}} {{.RunningFor}}' | cut -d' ' -f1;"
    " command -v docker >/dev/null && docker network ls --format '{{.Name}} {{.Driver}}'; true",
    "mounts": "findmnt -rn -o TARGET,FSTYPE -t ext4,xfs,tmpfs | grep -v -E '^/run/(user|credentials)' | sort",
    "packages": "dpkg-query -W -f '${Package} ${Version}\\n' | sha256sum",
}


#: What a boot, or the site's own dockerd when it starts, makes anew: names, indices and addresses of its links, and units that
#: run at a machine's very first boot only. A full run restarts both, so there these count as the same.
MADE_ANEW = (
    (r"^\d+: ", ""),
    (r"@if\d+", ""),
    (r"veth[0-9a-f]{7}", "veth"),
    (r"^((?:.* )?(?:docker0|veth)\b.*link/ether) \S+", r"\1 MAC"),
    (r"fe80::[0-9a-f:]+(?=.*\b(?:docker0|veth)\b)|(?<=inet6 )fe80::[0-9a-f:]+", "fe80::ADDRESS"),
    (r"^systemd-(?:journal-catalog-update|sysusers|update-done)\.service$", ""),
)


def without_what_is_made_anew(lines: list[str]) -> list[str]:
    """Return the lines, sorted, as they would be had nothing been started again meanwhile."""

    def one(line: str) -> str:
        for pattern, replacement in MADE_ANEW:
            line = re.sub(pattern, replacement, line)
        return line

    return sorted(filter(None, map(one, lines)))


def take() -> dict[str, dict[str, str]]:
    """Return the fingerprint of every host, by section."""
    script = "\n".join(f"echo '@@ {name}'\n{command}" for name, command in SECTIONS.items())

    def one(host: str) -> dict[str, str]:
        text = jobs.on(host, f"{script}\ntrue\n", timeout_s=jobs.WAIT_S)
        parts = re.split(r"^@@ (.*)\n", text, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2]))

    with ThreadPoolExecutor(len(HOSTS)) as workers:
        return dict(zip(HOSTS, workers.map(one, HOSTS)))


def save(path: Path = BEFORE) -> None:
    """Keep the present fingerprint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(take(), indent=1))


def differences(path: Path = BEFORE) -> list[str]:
    """Return what differs now from the fingerprint kept, as lines of a diff."""
    before, now = json.loads(path.read_text()), take()
    lines = []
    for host in HOSTS:
        for section in SECTIONS:
            old, new = before[host][section].splitlines(), now[host][section].splitlines()
            if FULL:
                old, new = without_what_is_made_anew(old), without_what_is_made_anew(new)
            changes = list(difflib.unified_diff(old, new, lineterm="", n=0))[2:]
            lines += [f"{host}: {section}: {line}" for line in changes if not line.startswith("@@")]
    return lines
