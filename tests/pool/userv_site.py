"""Driver ``userv`` on the test pools' execute point: uservd, its services, and accounts as it wants them."""

from __future__ import annotations

from collections.abc import Iterable

import switch_site
from execute_point import ACCOUNTS, ExecutePoint

SERVICE = "/usr/local/libexec/sheepfold/job-service"
HOME = "/var/lib/sheepfold/empty"
"""uservd changes to the home of the account before it reads anything: it has to be there, and nobody's to write to."""

_DESCRIPTORS = {
    "job": ("require-fd 0 read", "require-fd 1-2 write", "require-fd 3 read", "require-fd 4 write", "reject-fd 5-"),
    "return": ("require-fd 0 read", "require-fd 1-2 write", "reject-fd 3-"),
    "clean": ("require-fd 0 read", "require-fd 1-2 write", "reject-fd 3-"),
}


def service(name: str) -> str:
    """Uservd's configuration of one service."""
    lines = ["reset", *_DESCRIPTORS[name], "suppress-args", "no-set-environment", "disconnect-hup", f"execute {SERVICE}"]
    accounts = " ".join(account for account, _ in ACCOUNTS)
    condition = f"if ( glob calling-user condor\n   & glob service-user {accounts}\n   )\n"
    return condition + "".join(f"  {line}\n" for line in lines) + "else\n  reset\n  reject\nfi\nquit\n"


def install(site: ExecutePoint, settings: Iterable[tuple[str, object]] = ()) -> None:
    """Deploy the switch with this driver, and start uservd."""
    switch_site.install(site, [("driver", "userv"), *settings])
    site.world.write(SERVICE, switch_site.program("job-service"), mode=0o755)
    for name in _DESCRIPTORS:
        site.world.write(f"/etc/userv/services.d/sheepfold-{name}", service(name))
    site.world.run(["install", "-d", HOME])
    site.world.run(["sed", "-i", rf"/^pool[0-9]*:/s#:/nonexistent:#:{HOME}:#", "/etc/passwd"])
    site.world.run(["install", "-d", "-m", "0700", "/run/userv"])
    start(site)


def start(site: ExecutePoint) -> None:
    """Start uservd as its unit does: with nothing of anybody's environment."""
    command = "exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/sbin/uservd -daemon </dev/null >/dev/null 2>&1"
    site.world.run(["sh", "-c", command])
