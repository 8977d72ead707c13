# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a guard tells systemd: that it looks (sd_notify(3)). Without systemd nobody is told."""

from __future__ import annotations

import os
import socket

READY, ALIVE = "READY=1", "WATCHDOG=1"


def tell(what: str) -> None:
    """Tell the service manager, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(1)
        try:
            # A leading @ stands for the zero byte of an abstract address.
            sock.sendto(what.encode(), address.replace("@", "\0", 1) if address.startswith("@") else address)
        except OSError:
            return  # It is asked again with the next look; who never hears of it restarts this guard.


def pause(seconds: float) -> float:
    """Return how long to be silent at most: a third of what systemd waits for."""
    watchdog = int(os.environ.get("WATCHDOG_USEC") or 0) / 1_000_000
    return min(seconds, watchdog / 3) if watchdog else seconds
