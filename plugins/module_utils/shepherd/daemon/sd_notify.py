# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd is told: sd_notify(3) is a datagram to a socket whose address is in the environment."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """The way to systemd; nothing happens where there is none."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        address = (os.environ if environment is None else environment).get("NOTIFY_SOCKET", "")
        # An @ stands for the zero byte that begins the name of an abstract socket.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def tell(self, **values: str | int) -> None:
        """Tell ``NAME=value`` each. A systemd that does not listen is no error."""
        if not self._address:
            return
        text = "\n".join(f"{name}={' '.join(str(value).split())}" for name, value in values.items())
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
            way.sendto(text.encode(), self._address)
