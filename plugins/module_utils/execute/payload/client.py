# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``sheepfold-payload``: a pilot has the switch run another user's job, as an account that is neither's."""

from __future__ import annotations

import _signal
import _socket
import errno
import os
import select
import stat
import sys

from .. import settings
from ..errors import CANNOT_EXECUTE, CLIENT, PAYLOAD, REFUSED, SYSTEM, SwitchError
from ..ipc.channel import LineChannel
from . import protocol

_USAGE = "sheepfold-payload [--owner NAME] -- EXECUTABLE [ARGUMENT…]"
_RELAYED = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM, _signal.SIGUSR1, _signal.SIGUSR2)


def main(words: list[str]) -> int:
    """Run a payload; its exit code, 128 and the signal that ended it, or a class of :mod:`errors`."""
    try:
        return _run(*_wanted(words))
    except SwitchError as error:
        sys.stderr.write(f"sheepfold-payload: {error}\n")
        return error.code


def exit_code(status: int) -> int:
    """What the caller gets for a payload's wait status: its own codes of the switch's classes become one."""
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status)
    code = os.WEXITSTATUS(status)
    return PAYLOAD if CLIENT <= code <= PAYLOAD else code


def _wanted(words: list[str]) -> tuple[str, list[str]]:
    owner = ""
    if len(words) > 1 and words[0] == "--owner":
        owner, words = words[1], words[2:]
    if words[:1] == ["--"]:
        words = words[1:]
    elif words[:1] and words[0].startswith("-"):
        raise SwitchError(CLIENT, f"{words[0]} is no option: expected {_USAGE}")
    if not words:
        raise SwitchError(CLIENT, f"No executable is named: expected {_USAGE}")
    return owner, words


def _run(owner: str, words: list[str]) -> int:
    place = f"{settings.read().payload_directory}/{os.getuid()}"
    try:
        executable = os.open(words[0], os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SwitchError(CLIENT, f"{words[0]} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(executable).st_mode):
        raise SwitchError(CLIENT, f"{words[0]} cannot be executed: it is no file")
    if not os.access(words[0], os.X_OK):
        # The switch runs a copy: its mode would not tell.
        raise SwitchError(CANNOT_EXECUTE, f"{words[0]} cannot be executed: {os.strerror(errno.EACCES)}")
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC, 0)
    try:
        channel.connect(place)
        wanted = protocol.PayloadRequest(
            owner, [os.fsencode(os.path.realpath(words[0])), *map(os.fsencode, words[1:])], dict(os.environb)
        )
        protocol.send(channel, wanted, [0, 1, 2, executable])
    except OSError as error:
        # As gLExec: no service is no permission.
        raise SwitchError(REFUSED, f"The switch cannot be asked at {place}: {error.strerror}") from None
    return _wait(channel)


def _wait(channel: _socket.socket) -> int:
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    _signal.set_wakeup_fd(waker)
    for number in _RELAYED:
        _signal.signal(number, lambda *_: None)
    lines = LineChannel(channel.fileno(), channel.fileno())
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    poll.register(woken, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == woken:
                for number in os.read(woken, 256):
                    lines.send(f"signal {number}")
                continue
            word, _, rest = (lines.receive() or f"error {SYSTEM} The switch is gone").partition(" ")
            if word == "ended":
                return exit_code(int(rest))
            code, _, text = rest.partition(" ")
            raise SwitchError(int(code), text)
