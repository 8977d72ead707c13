"""Evidence from every guest, for a report of a failure."""

from __future__ import annotations

import contextlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import paths, ssh
from lab.say import note
from lab.topology import HOSTS, Host

COMMANDS = {
    "journal": "journalctl --no-pager --output=short-precise --lines=20000",
    "units": "systemctl --no-pager list-units --all; systemctl --no-pager --failed",
    "ruleset": "nft list ruleset",
    "network": "ip -d addr; ip rule; ip route show table all; ip neigh; ss -tulpn; cat /proc/net/nf_conntrack",
    "containers": "for s in /run/docker.sock /run/flock-docker/docker.sock; do "
    "test -S $s && docker --host unix://$s ps -a && docker --host unix://$s network ls; done",
    "condor": "condor_status -any; condor_q -allusers; condor_config_val -summary",
    "processes": "ps -eo pid,ppid,user,stat,rss,etime,args; free -m; df -h",
}
LOGS = "cd / && tar -c --ignore-failed-read var/log/condor var/log/lab var/lib/sheepfold/verify 2>/dev/null | gzip -1"


def collect(directory: Path, unless: Path | None = None) -> None:
    """Write journals, rulesets and condor logs of all guests below the directory, unless a file says it is not needed."""
    if unless is not None and unless.exists():
        return
    with ThreadPoolExecutor(len(HOSTS)) as workers:
        list(workers.map(lambda host: _collect_host(host, directory / host.name), HOSTS))
    note(f"journals, rulesets and condor logs of the hosts are in {directory}")


def _collect_host(host: Host, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, script in COMMANDS.items():
        result = ssh.run(host, script, timeout_s=120)
        (directory / f"{name}.txt").write_text(result.stdout + result.stderr)
    # What a host in trouble cannot give in time is left out: the rest is worth having.
    with (directory / "logs.tar.gz").open("wb") as target, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(ssh.command(host, LOGS), stdout=target, stdin=subprocess.DEVNULL, timeout=120, check=False)
    console = paths.RUN / f"{host.name}.console"
    if console.exists():
        (directory / "console.txt").write_bytes(console.read_bytes()[-200_000:])
