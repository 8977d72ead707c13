"""What HTCondor's processes on a host may do, as the kernel says."""

from __future__ import annotations

from dataclasses import dataclass

from lab import jobs

SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")
#: Uids from here on are the flocking container's, which has a user namespace of its own.
_CONTAINERS = 100000
_SCRIPT = """for p in /proc/[0-9]*; do
  name=$(cat "$p/comm" 2>/dev/null) || continue
  case $name in condor_*) echo "$name ${p#/proc/} $(awk '/^(Uid|CapInh|CapPrm|CapEff|CapAmb):/ { $1 = ""; print }' "$p/status" |
    tr '\\n' ' ')" ;; esac
done"""


@dataclass(frozen=True)
class Daemon:
    """One process: its four uids (real, effective, saved, of the file system), its capability sets as the kernel prints them."""

    name: str
    pid: int
    uids: tuple[int, ...]
    capabilities: tuple[str, ...]

    @property
    def contained(self) -> bool:
        """Whether it is the flocking container's, whose root is nobody on the host."""
        return self.uids[0] >= _CONTAINERS


def of(host: str) -> list[Daemon]:
    """Return HTCondor's processes on a host, the containers' too."""
    found = []
    for line in jobs.on(host, _SCRIPT).splitlines():
        name, pid, *values = line.split()
        if len(values) == 4 + len(SETS):
            found.append(Daemon(name, int(pid), tuple(int(uid) for uid in values[:4]), tuple(values[4:])))
    return found


def table(daemons: list[Daemon]) -> str:
    """Return them for people."""
    rows: list[tuple[str, ...]] = [("process", "of", "uids", *SETS)]
    rows += [
        (each.name, "flocking container" if each.contained else "node", " ".join(map(str, each.uids)), *each.capabilities)
        for each in daemons
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
