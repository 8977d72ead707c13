"""Services of the host that would act for an account, and files of it that are readable by all."""

from __future__ import annotations

from .answer import Answer
from .attack import Attack
from .ground import EVIL, Ground

_BUS = "/run/dbus/system_bus_socket"
_LINGER = "/var/lib/systemd/linger"
READABLE = "/srv/condor/p220/readable.d"
_STAND_IN = f"{EVIL}/logind.py"

# Without systemd there is no logind here. What it does with SetUserLinger for the caller's own user (polkit's default lets
# everybody, org.freedesktop.login1.set-self-linger): it looks at the peer's uid, and makes a file by the user's name.
_LOGIND = f"""
import os, pwd, socket, struct
os.makedirs("{_LINGER}", exist_ok=True)
os.makedirs("{_BUS.rpartition("/")[0]}", exist_ok=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind("{_BUS}")
os.chmod("{_BUS}", 0o666)
listener.listen(8)
while True:
    channel, _ = listener.accept()
    uid = struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
    open("{_LINGER}/" + pwd.getpwuid(uid).pw_name, "w").close()
    channel.sendall(b"lingers")
    channel.close()
"""

# By its socket, and by hand; and whether the account has a session, which lingers of its own.
_ASK = f"""#!/usr/bin/python3 -I
import os, pwd, socket
name = pwd.getpwuid(os.getuid()).pw_name
try:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect("{_BUS}")
        print("BREACH", name, channel.recv(20).decode())
except OSError as error:
    print(f"{_BUS}: {{error}}")
try:
    open("{_LINGER}/" + name, "w").close()
    print("BREACH wrote {_LINGER}/" + name)
except OSError as error:
    print(error)
if os.path.exists(f"/run/user/{{os.getuid()}}") or "XDG_RUNTIME_DIR" in os.environ:
    print("BREACH has a session")
"""

PREPARATION = f"""
cat >{_STAND_IN} <<'END'
{_LOGIND}
END
setsid python3 {_STAND_IN} </dev/null >/dev/null 2>&1 &
install -d -m 755 {READABLE}
echo secret of the daemons >{READABLE}/token
chmod 644 {READABLE}/token
"""


def _read(ground: Ground, cluster: str) -> Answer:
    output = ground.output("readable-secret")
    return Answer("secret of the daemons" in output, f"read {READABLE}/token" if "secret of" in output else output.strip())


ATTACKS = [
    Attack("linger", "crontab, at, linger", _ASK, "uid"),
    Attack(
        "readable-secret",
        "world-readable credentials",
        f"#!/bin/sh\ncat {READABLE}/token 2>&1 || ls -A {READABLE} 2>&1\n",
        "uid",
        rules=(("secret", READABLE),),
        judge=_read,
    ),
]
