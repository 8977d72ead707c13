"""The switch on the test pools' execute point: engine, first stage, settings, and something that listens as journald does."""

from __future__ import annotations

from collections.abc import Iterable

from execute_point import ACCOUNTS, ENGINE, EXECUTE, RUN, ExecutePoint

AUDIT = "/run/audit"
"""The records, one a line: journald itself runs in the lab (tests/site)."""

FIRST_STAGE = f"""#!/bin/busybox sh
(umask 077; /bin/busybox cat /proc/$$/environ > {RUN}/$$.environ) || exit 202
exec /bin/busybox env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \\
  /usr/bin/python3 -I -S {ENGINE}/switch job {RUN}/$$.environ "$@"
"""

COMMAND = f"""import sys
sys.path.insert(0, "{ENGINE}")
from sheepfold_switch.command import main
main()
"""

PAYLOAD_COMMAND = f'#!/bin/sh\nexec /usr/bin/python3 -I -S {ENGINE}/switch payload "$@"\n'
CHECK_COMMAND = f"#!/bin/sh\nexec /usr/bin/python3 -I -S {ENGINE}/switch check\n"

_LISTENER = """
import json, os, socket
os.makedirs("/run/systemd/journal", exist_ok=True)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind("/run/systemd/journal/socket")
os.chmod("/run/systemd/journal/socket", 0o666)
out = open("%s", "a", buffering=1)
while True:
    data, control, _, _ = listener.recvmsg(1 << 20, 1024)
    fields = {"_UID": int.from_bytes(control[0][2][4:8], "little")}
    while data:
        name, _, rest = data.partition(b"\\n")
        if b"=" in name:
            name, _, value = name.partition(b"=")
            data = rest
        else:
            length = int.from_bytes(rest[:8], "little")
            value, data = rest[8 : 8 + length], rest[9 + length :]
        fields[name.decode(errors="replace")] = value.decode(errors="replace")
    out.write(json.dumps(fields) + "\\n")
"""


def install(site: ExecutePoint, settings: Iterable[tuple[str, object]] = (), accounts: int = len(ACCOUNTS)) -> None:
    """Deploy the switch with these settings besides those that every host has."""
    chosen = ACCOUNTS[:accounts]
    known = [
        ("execute", EXECUTE),
        ("startd_address", "/srv/condor/p220/log/.startd_address"),
        *(("account", f"{name} {number}") for name, number in chosen),
        *settings,
    ]
    files = [
        (f"{ENGINE}/switch", COMMAND),
        ("/usr/local/bin/sheepfold-payload", PAYLOAD_COMMAND),
        ("/usr/local/libexec/sheepfold/account-check", CHECK_COMMAND),
    ]
    site.install_switch(known, FIRST_STAGE, accounts=chosen, files=files)
    site.world.popen(["python3", "-c", _LISTENER % AUDIT])
    site.pool.wait((site.world.root / "run/systemd/journal/socket").exists, "a listener for records")
