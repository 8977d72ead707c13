# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entering a network namespace and giving up rights, with nothing but the standard library (Python 3.9 has no setns)."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
CAP_NET_RAW = 13
PR_SET_NO_NEW_PRIVS = 38
PR_SET_PDEATHSIG = 1
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _check(status: int, what: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter(path: str) -> None:
    """Move the calling thread into the network namespace at path, for instance /proc/PID/ns/net.

    Raises:
        OSError: there is no such namespace, or the caller may not enter it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(descriptor, CLONE_NEWNET), f"setns {path}")
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def inside(path: str) -> Iterator[None]:
    """Be in the network namespace at path for a while; sockets made there stay there. An empty path is no change."""
    if not path:
        yield
        return
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(path)
        try:
            yield
        finally:
            _check(_libc.setns(back, CLONE_NEWNET), "setns back")
    finally:
        os.close(back)


def become(uid: int) -> None:
    """Become an unprivileged user for good.

    Raises:
        OSError: the caller may not.
    """
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def keep_only_net_raw() -> None:
    """Give up every capability but CAP_NET_RAW, as a container's root with that one capability has it.

    Raises:
        OSError: the caller does not have it.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bits = 1 << CAP_NET_RAW
    data = (ctypes.c_uint32 * 6)(bits, bits, 0, 0, 0, 0)
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")


class Child:
    """A function running in a process of its own; its result comes back as JSON."""

    def __init__(self, function: Callable[[], Any]) -> None:
        """Fork and run the function there."""
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(reading)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                die_with_parent()
                try:
                    answer = {"result": function()}
                except Exception as error:  # what went wrong there is told here
                    answer = {"error": f"{type(error).__name__}: {error}"}
                with os.fdopen(writing, "w") as stream:
                    json.dump(answer, stream)
                status = 0
            finally:
                os._exit(status)
        os.close(writing)
        self._stream = os.fdopen(reading)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the result is there."""
        return self._stream.fileno()

    def result(self) -> Any:
        """Wait for the result.

        Raises:
            RuntimeError: the function failed, or its process died.
        """
        text = self._stream.read()
        self._stream.close()
        os.waitpid(self.pid, 0)
        if not text:
            raise RuntimeError("a probe's process ended without a result")
        answer = json.loads(text)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]


def neighbours() -> dict[str, str]:
    """Return the calling thread's namespace's IPv4 neighbour table: address to MAC address."""
    table = {}
    for line in Path("/proc/thread-self/net/arp").read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 6 and fields[3] != "00:00:00:00:00:00":
            table[fields[0]] = fields[3]
    return table


def die_with_parent() -> None:
    """Have the kernel kill the calling process when its parent ends."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
