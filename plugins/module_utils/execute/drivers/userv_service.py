# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What uservd runs as an account for the daemons' user. It trusts uservd and the settings, and nothing that it is sent."""

from __future__ import annotations

import _signal
import os
import pwd
import select

from .. import settings
from ..accounts import residue
from ..errors import CLIENT, REFUSED, SYSTEM, SwitchError
from ..ipc import channel, framing
from ..isolation import mounts, spawn
from ..linux import bounded_process, procfs, syscalls
from ..sandbox import acl_handover
from ..settings import Account, SwitchSettings
from . import userv_request

_REQUESTS = 3
_ANSWERS = 4
_ROUNDS = 50
_CRONTAB = "/usr/bin/crontab"
_AT_LIST, _AT_REMOVE = "/usr/bin/atq", "/usr/bin/atrm"


def main() -> int:
    """Do what the service's name says; the exit code. Refused are callers and accounts that the settings do not know."""
    try:
        return _serve()
    except (OSError, ValueError, KeyError, SwitchError) as error:
        # To uservd's client, that is to the keeper or to whoever else called.
        os.write(2, f"sheepfold-switch: {error}\n".encode())
        return error.code if isinstance(error, SwitchError) else SYSTEM


def _serve() -> int:
    known = settings.read()
    account = _account(known)
    daemons = _caller(known)
    # The client's end is seen on the stream of requests as well, and leaves time to give the sandbox back.
    _signal.signal(_signal.SIGHUP, _signal.SIG_IGN)
    service = os.environ.get("USERV_SERVICE")
    if service == userv_request.RUN:
        return _run(known, daemons)
    procfs.close_descriptors((0, 1, 2))
    if service == userv_request.RETURN:
        return _give_back(known, daemons)
    if service == userv_request.CLEAN:
        _clean(account)
        return 0
    raise SwitchError(
        CLIENT, f"{service} is no service: expected {userv_request.RUN}, {userv_request.RETURN} or {userv_request.CLEAN}"
    )


def checked(sandbox: str, known: SwitchSettings) -> str:
    """A sandbox's path, when it is below where the settings say and is what it seems. Raises SwitchError."""
    if not sandbox.startswith(os.path.realpath(known.execute) + "/") or os.path.realpath(sandbox) != sandbox:
        raise SwitchError(REFUSED, f"{sandbox} is no job's directory: expected one below {known.execute}")
    return sandbox


def _account(known: SwitchSettings) -> Account:
    for account in known.account:
        if account.uid == os.getuid() == os.getgid():
            return account
    raise SwitchError(REFUSED, f"uid {os.getuid()} is no pool account")


def _caller(known: SwitchSettings) -> int:
    daemons = pwd.getpwnam(known.daemon_user).pw_uid
    if os.environ.get("USERV_UID") != str(daemons):
        raise SwitchError(REFUSED, f"uid {os.environ.get('USERV_UID')} called: expected {known.daemon_user}")
    return daemons


def _run(known: SwitchSettings, daemons: int) -> int:
    procfs.close_descriptors((0, 1, 2, _REQUESTS, _ANSWERS))
    lines = channel.LineChannel(_REQUESTS, _ANSWERS)
    for descriptor in lines.descriptors:
        os.set_inheritable(descriptor, False)
    try:
        wanted = userv_request.from_fields(framing.read(_REQUESTS))
        sandbox = checked(wanted.sandbox, known)
        acl_handover.make_own(sandbox, {file.identity for file in wanted.files})
        for file in wanted.files:
            file.open()
        userv_request.inherit(wanted.inherited)
        view = mounts.MountView(known, sandbox)
        lines.send("ready")
        init = spawn.start_init(lines, _become, view, wanted.program)
    except (OSError, ValueError, SwitchError) as error:
        lines.send(f"error {error}")
        return 1
    procfs.let_go_of_files()
    _wait(init)
    acl_handover.give_back(sandbox, daemons)
    return 0


def _wait(init: int) -> None:
    """Wait for a job's init to end, and end it, though it be stopped, when nobody supervises it any more."""
    poll = select.poll()
    ended = os.pidfd_open(init)
    poll.register(ended, select.POLLIN)
    # Nothing but the end of all who write: what they say is the init's to read.
    poll.register(_REQUESTS, 0)
    if all(descriptor != ended for descriptor, _ in poll.poll()):
        os.kill(init, _signal.SIGKILL)
    os.waitpid(init, 0)


def _become() -> None:
    uid, gid = os.getuid(), os.getgid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    mounts.map_only(uid, gid)


def _give_back(known: SwitchSettings, daemons: int) -> int:
    fields = framing.read(0)
    acl_handover.give_back(checked(os.fsdecode(fields[0]), known), daemons)
    return 0


def _clean(account: Account) -> None:
    # One by one: a signal to all would also end uservd's own process for this service.
    spared = {os.getpid(), os.getppid()}
    for _ in range(_ROUNDS):
        running = set(procfs.of_user(account.uid)) - spared
        if not running:
            break
        for pid in running:
            try:
                os.kill(pid, _signal.SIGKILL)
            except OSError:
                continue
    else:
        # They come faster than they go.
        residue.end_processes()
    residue.remove(account)
    for program, words in ((_CRONTAB, ["-r"]), *((_AT_REMOVE, [number]) for number in _at_jobs())):
        if os.path.exists(program):
            bounded_process.run(program, {}, 10, words)


def _at_jobs() -> list[str]:
    if not os.path.exists(_AT_LIST):
        return []
    lines = bounded_process.run(_AT_LIST, {}, 10).output.splitlines()
    return [line.split()[0] for line in lines if line.split()[:1] and line.split()[0].isdigit()]
