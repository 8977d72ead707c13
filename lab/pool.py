"""What makes the lab a prepared site: pools whose machines are all seen."""

from __future__ import annotations

from lab import ssh
from lab.topology import BY_NAME

READY_TIMEOUT_S = 1200.0
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
    for name in ("p220", "p221"):
        ssh.wait_for(BY_NAME[name], "systemctl is-active lab-site-container", READY_TIMEOUT_S, "unit lab-site-container")
    for name, port in (("storage", 6789), ("remote", 443)):
        script = f"ss -Hltn sport = :{port} | grep . && ss -Hlun sport = :53 | grep ."
        ssh.wait_for(BY_NAME[name], script, READY_TIMEOUT_S, "the listeners of lab-dns and lab-listen")
    for host in BY_NAME.values():
        ssh.wait_for(host, SETTLED, READY_TIMEOUT_S, "the end of the boot")


SETTLED = """
    test -d /run/systemd/system || exit 0
    case $(systemctl is-system-running) in
        running) sync ;;
        *) systemctl --failed --no-legend >&2; systemctl list-jobs --no-legend >&2; exit 1 ;;
    esac
"""
