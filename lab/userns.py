"""Root's command in a user namespace that has this machine's own ids: `python3 userns.py COMMAND ...`.

unshare(1) maps more than one id through newuidmap, which refuses it to a root who has no line in /etc/subuid.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_MAP = "0 0 65536"


def main() -> None:
    """Become the command, in the namespace."""
    is_made, made = os.pipe()
    target = os.getpid()
    helper = os.fork()
    if helper == 0:
        # Only a process that is outside may map ids that are not its own.
        os.read(is_made, 1)
        for kind in ("uid_map", "gid_map"):
            Path(f"/proc/{target}/{kind}").write_text(_MAP)
        os._exit(0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        os.kill(helper, 9)
        sys.exit(f"no user namespace: {os.strerror(ctypes.get_errno())}")
    os.write(made, b"1")
    _, status = os.waitpid(helper, 0)
    if status:
        sys.exit("the ids of the user namespace could not be mapped")
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - it is what becomes of this process


if __name__ == "__main__":
    main()
