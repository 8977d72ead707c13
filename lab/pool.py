"""What makes the lab a prepared site: pools whose machines are all seen."""

from __future__ import annotations

from lab import ssh
from lab.topology import BY_NAME

READY_TIMEOUT_S = 480.0
MANAGERS = {"submit": 2, "remote": 1}
"""Central managers and how many machines each pool has."""


def wait_until_ready() -> None:
    """Wait until each pool's collector knows its machines and schedd, and the site's services listen."""
    for name, machines in MANAGERS.items():
        script = f"""
            test "$(condor_status -startd -af Machine | sort -u | wc -l)" = {machines} || {{ condor_status >&2; exit 1; }}
            test -n "$(condor_status -schedd -af Name)" || {{ echo "no schedd" >&2; exit 1; }}
        """
        ssh.wait_for(BY_NAME[name], script, READY_TIMEOUT_S, f"a pool of {machines}")
    for name, unit in (("p220", "lab-site-container"), ("p221", "lab-site-container"), ("storage", "lab-listen")):
        script = f"systemctl is-active {unit}"
        ssh.wait_for(BY_NAME[name], script, READY_TIMEOUT_S, f"unit {unit}")
    for name in ("storage", "remote"):
        ssh.wait_for(BY_NAME[name], "systemctl is-active lab-dns lab-listen", 60, "units lab-dns and lab-listen")
    for host in BY_NAME.values():
        ssh.wait_for(host, SETTLED, READY_TIMEOUT_S, "the end of the boot")


SETTLED = """
    case $(systemctl is-system-running) in
        running) sync ;;
        *) systemctl --failed --no-legend >&2; systemctl list-jobs --no-legend >&2; exit 1 ;;
    esac
"""
