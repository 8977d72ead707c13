# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One record for each beginning, end and refusal, in journald's native protocol.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. journald itself adds when, on which host, and the uid that wrote it
(``_UID``): a record that a job forges bears the uid of its account.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import sys
import time

from .errors import SYSTEM, SwitchError
from .ipc.job_exit import Ending
from .job import Job
from .settings import Account

SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "sheepfold-switch"
# Made once for these events (sd-id128); they never change.
MESSAGE_IDS = {
    "start": "6f7c1d6f0b2b4c55a1c3e0f3a6d2b901",
    "end": "2d1e0c4a93fb4e2f8d7b5a6c1f0e8b42",
    "refused": "b84f3c2e6d1a4f0795e8c7d6a5b4c3f3",
}
_PRIORITY = {"start": 6, "end": 6, "refused": 4}
_CHUNK = 1 << 20
_UNREAD = 0x5411
"""SIOCOUTQ (unix(7)): how much of what was sent has not been read."""
_PATIENCE = 1.0
"""Seconds to wait for journald."""
_LOOK_UP = 0.02
"""Seconds that journald has to look its sender up after it has read; it takes less than one thousandth."""


class Record:
    """What is the same in all records of one job or payload."""

    __slots__ = ("_job", "_started", "fields")

    def __init__(self, job: Job, kind: str, mode: str, driver: str) -> None:
        self.fields = {
            "KIND": kind,
            "MODE": mode,
            "DRIVER": driver,
            "SLOT": job.slot,
        }
        self._job = job
        self._started = False

    def start(self) -> None:
        """Tell of the beginning, once, however often this is called."""
        text = f"{self._what()} starts as {self.fields.get('ACCOUNT') or 'the daemons'}: {self.fields.get('EXECUTABLE', '')}"
        if not self._started:
            self._started = self._send("start", text, {})

    def account(self, account: Account) -> None:
        """Say which account it has."""
        self.fields["ACCOUNT"] = account.name
        self.fields["UID"] = str(account.uid)

    def check(self) -> None:
        """Raise SwitchError when nobody would take the records: what cannot be traced is not run."""
        channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC, 0)
        try:
            channel.connect(SOCKET)
        except OSError as error:
            raise SwitchError(SYSTEM, f"The audit record cannot be written to {SOCKET}: {error}") from None
        finally:
            channel.close()

    def end(self, ending: Ending | None, notes: list[str]) -> None:
        """Tell of the end: how, the processor's time (s), memory (KiB), and what went wrong around it."""
        fields = {"NOTE": "; ".join(notes)} if notes else {}
        if ending is not None:
            fields["EXIT"] = ending.words
            fields["CPU_USER"] = f"{ending.user:.3f}"
            fields["CPU_SYSTEM"] = f"{ending.system:.3f}"
            fields["MEMORY_KIB"] = str(ending.memory)
        self._send("end", f"{self._what()} ended: {fields.get('EXIT', 'unknown')}", fields)

    def refused(self, error: SwitchError) -> None:
        """Tell that it was not run."""
        self._send("refused", str(error), {"CODE": str(error.code)})

    def _what(self) -> str:
        return f"{self.fields['KIND']} {self._job.number} of {self._job.user} on {self._job.slot}"

    def _send(self, event: str, text: str, more: dict[str, str]) -> bool:
        """Send a record; False when nobody takes it, which :meth:`check` has asked before: no running job ends for it."""
        head = {
            "MESSAGE": text,
            "MESSAGE_ID": MESSAGE_IDS[event],
            "PRIORITY": str(_PRIORITY[event]),
            "SYSLOG_IDENTIFIER": IDENTIFIER,
            "SHEEPFOLD_EVENT": event,
        }
        whose = {
            "JOB": self._job.number,
            "GLOBAL_JOB_ID": self._job.global_id,
            "OWNER": self._job.owner,
            "USER": self._job.user,
        }
        fields = {**head, **{f"SHEEPFOLD_{name}": value for name, value in {**self.fields, **whose, **more}.items()}}
        channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC, 0)
        try:
            channel.sendto(b"".join(_field(name, value) for name, value in fields.items()), SOCKET)
            if event != "start":
                _stay_until_read(channel)
        except OSError:
            return False
        finally:
            channel.close()
        return True


def _stay_until_read(channel: _socket.socket) -> None:
    """Wait until journald has the record: it looks the sender's unit (``_SYSTEMD_UNIT``) up in /proc, while there is one.

    Raises OSError.
    """
    end = time.monotonic() + _PATIENCE
    while int.from_bytes(fcntl.ioctl(channel.fileno(), _UNREAD, bytes(4)), sys.byteorder):
        if time.monotonic() > end:
            return
        time.sleep(0.005)
    time.sleep(_LOOK_UP)


def digest(path: str) -> str:
    """The SHA-256 of a file, or why there is none."""
    try:
        from _sha2 import sha256  # Python 3.12; hashlib takes longer to import than most executables to read.
    except ImportError:
        from hashlib import sha256
    total = sha256()
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return f"none: {error.strerror}"
    try:
        while True:
            chunk = os.read(handle, _CHUNK)
            if not chunk:
                return str(total.hexdigest())
            total.update(chunk)
    except OSError as error:
        return f"none: {error.strerror}"
    finally:
        os.close(handle)


def _field(name: str, value: str) -> bytes:
    data = value.encode(errors="replace")
    # Always with its length: a value with a line break could otherwise add fields of its own.
    return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
