#!/usr/bin/python
# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module execute_host_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: execute_host_facts
short_description: What a host offers to jobs that run as pool accounts without any root process
version_added: "1.0.0"
description:
  - Reads control groups, user namespaces, helpers, accounts, subordinate ids and the state of HTCondor's service. Changes nothing
    and asks no network.
options:
  accounts:
    description: Names of accounts to look at.
    type: list
    elements: str
    default: []
  first_id:
    description: First of the ids to look at.
    type: int
    default: 0
  count:
    description: How many ids there are to look at.
    type: int
    default: 0
  owner:
    description: The user that HTCondor's daemons have.
    type: str
    default: condor
  busybox:
    description: The static shell to look at.
    type: str
    default: /bin/busybox
  commands:
    description: Programs of the site's that jobs' processes or the daemons' user will start.
    type: list
    elements: str
    default: []
  execute:
    description: The directory of all sandboxes; empty for none.
    type: str
    default: ""
  directories:
    description: Directories to look for.
    type: list
    elements: str
    default: []
  service:
    description: The unit that HTCondor runs in.
    type: str
    default: condor.service
  wait:
    description: Seconds to wait at the most until the service runs no job.
    type: int
    default: 0
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Reads only.
    support: none
  facts:
    description: Returns facts.
    support: full
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
author:
  - Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: Read what the node offers
  sheepfold.htcondor.execute_host_facts:
    accounts: [pool01, pool02]
    first_id: 2100000000
    count: 2
    execute: /var/lib/condor/execute
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: always
  type: dict
  contains:
    execute_host:
      description: What the host offers.
      type: dict
      contains:
        accounts:
          description: Of the named accounts those that there are, with C(uid), C(gid), C(shell) and C(comment).
          type: dict
        apparmor_restricts:
          description: Whether AppArmor keeps user namespaces from whoever has no profile for them.
          type: bool
        busybox:
          description: C(static), C(dynamic), or C(missing).
          type: str
        cgroup_version:
          description: 2 where the unified hierarchy alone is mounted, else 1.
          type: int
        commands:
          description: For each program what is wrong with it, or an empty string.
          type: dict
        cpus:
          description: Processors of the host.
          type: int
        daemon:
          description: C(uid) and C(gid) of the daemons' user; both -1 where there is no such user.
          type: dict
        directories:
          description: Of the named directories those that there are.
          type: list
          elements: str
        execute:
          description: >-
            C(uid) and C(mode) of the directory of all sandboxes, and C(closed), the first directory on its path that others
            cannot pass. Empty where there is none.
          type: dict
        exposed:
          description: Files of the named directories that others than their owner can read.
          type: list
          elements: str
        helpers:
          description: Paths of newuidmap, newgidmap and userv; empty strings where they are not installed.
          type: dict
        ids:
          description: Of the ids those that have a name already, with that name.
          type: dict
        privilege:
          description: By what newuidmap and newgidmap have the privilege that they need, C(mode) or C(capability); empty without.
          type: str
        service:
          description: >-
            C(uid) of the service's main process, -1 where it does not run; C(mark), the C(SHEEPFOLD_EXECUTE_NODE_UNIT) that it
            was started with, if any; C(starters), how many jobs it runs.
          type: dict
        subordinate:
          description: All ranges of /etc/subuid and /etc/subgid, with C(file), C(owner), C(first), C(count).
          type: list
          elements: dict
        systemd_version:
          description: Version of systemd, 0 where there is none.
          type: int
        user_namespaces:
          description: How many user namespaces the host allows to others than root.
          type: int
"""

import grp
import os
import pwd
import shutil
import stat
import struct
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.accounts import subordinate
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.exposure import exposed
from ansible_collections.sheepfold.htcondor.plugins.module_utils.host import systemd

CGROUP = Path("/sys/fs/cgroup")
MARK = b"SHEEPFOLD_EXECUTE_NODE_UNIT="
PT_INTERP = 3
POLL_S = 1
SETTLE_S = 4


def read(path: str) -> str:
    """Return a file's content without the newline at its end, or an empty string."""
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\n")
    except OSError:
        return ""


def number(path: str, otherwise: int) -> int:
    """Return the number in a file of the kernel's, or another one where there is no such file."""
    text = read(path)
    return int(text) if text.isdigit() else otherwise


def linking(path: str) -> str:
    """Return whether a program is static or dynamic, or missing.

    A static one has no program header PT_INTERP (elf(5)): the kernel starts it without ld.so, so that LD_PRELOAD and its
    like are nothing to it.
    """
    try:
        content = Path(path).read_bytes()
    except OSError:
        return "missing"
    if content[:4] != b"\x7fELF" or len(content) < 64:
        return "dynamic"
    order = "<" if content[5] == 1 else ">"
    wide = content[4] == 2
    offset = struct.unpack_from(f"{order}Q" if wide else f"{order}L", content, 32 if wide else 28)[0]
    size, count = struct.unpack_from(f"{order}HH", content, 54 if wide else 42)
    kinds = [struct.unpack_from(f"{order}L", content, offset + size * index)[0] for index in range(count)]
    return "dynamic" if PT_INTERP in kinds else "static"


def privilege(paths: list[str]) -> str:
    """Return by what helpers have the privilege that they need: mode, capability, or an empty string where one has none."""
    found = set()
    for path in paths:
        try:
            if os.stat(path).st_mode & stat.S_ISUID:  # noqa: PTH116
                found.add("mode")
            elif os.getxattr(path, "security.capability"):
                found.add("capability")
        except OSError:
            return ""
    return "mode" if "mode" in found else "".join(found)


def wrong_with(path: str, daemon_uid: int) -> str:
    """Return what keeps a program of the site's from being started safely by the daemons' user, or an empty string."""
    program = Path(path)
    if not program.is_file():
        return "is no file"
    if not program.stat().st_mode & stat.S_IXOTH:
        return "cannot be executed by everybody"
    for place in (program, *program.parents):
        status = place.stat()
        if status.st_uid not in (0, daemon_uid) or (status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX):
            return f"could be changed by others than root ({place})"
    return ""


def sandboxes(path: str) -> dict[str, Any]:
    """Return what matters of the directory of all sandboxes."""
    place = Path(path)
    if not path or not place.is_dir():
        return {}
    closed = [str(each) for each in (*reversed(place.parents), place) if not each.stat().st_mode & stat.S_IXOTH]
    status = place.stat()
    return {"uid": status.st_uid, "mode": f"{stat.S_IMODE(status.st_mode):04o}", "closed": closed[0] if closed else ""}


def named(accounts: list[str], first: int, count: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the accounts of these names, and who has these ids as user or group."""
    there: dict[str, Any] = {}
    for name in accounts:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        there[name] = {
            "uid": user.pw_uid,
            "gid": user.pw_gid,
            "shell": user.pw_shell,
            "home": user.pw_dir,
            "comment": user.pw_gecos,
        }
    ids: dict[str, str] = {}
    for each in range(first, first + count):
        try:
            ids[str(each)] = pwd.getpwuid(each).pw_name
        except KeyError:
            try:
                ids[str(each)] = grp.getgrgid(each).gr_name
            except KeyError:
                continue
    return there, ids


def service(unit: str) -> dict[str, Any]:
    """Return who HTCondor's service runs as, and how many jobs it runs."""
    shown = dict(line.partition("=")[::2] for line in systemd.ask("show", unit, "-p", "MainPID,ControlGroup").splitlines())
    main = shown.get("MainPID", "0")
    if main in ("", "0"):
        return {"uid": -1, "mark": "", "starters": 0}
    try:
        uid = Path(f"/proc/{main}").stat().st_uid
        environment = Path(f"/proc/{main}/environ").read_bytes().split(b"\0")
    except OSError:
        return {"uid": -1, "mark": "", "starters": 0}
    mark = "".join(each[len(MARK) :].decode() for each in environment if each.startswith(MARK))
    processes = " ".join(
        read(str(path)) for path in (CGROUP / shown.get("ControlGroup", "").lstrip("/")).rglob("cgroup.procs")
    ).split()
    return {"uid": uid, "mark": mark, "starters": sum(read(f"/proc/{each}/comm") == "condor_starter" for each in processes)}


def emptied(unit: str, wait: int) -> dict[str, Any]:
    """Return the same when the service runs no job any more, or has not become empty in this many seconds; at once for 0.

    It is empty when it has been for some seconds: daemons that have just been told to take no job may still start one.
    """
    now = start = time.monotonic()
    found, last_busy = service(unit), start
    while wait and now < (start + wait if found["starters"] else last_busy + SETTLE_S):
        time.sleep(POLL_S)
        found, now = service(unit), time.monotonic()
        if found["starters"]:
            last_busy = now
    return found


def daemon(name: str) -> dict[str, int]:
    """Return the ids of the daemons' user."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return {"uid": -1, "gid": -1}
    return {"uid": user.pw_uid, "gid": user.pw_gid}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "accounts": {"type": "list", "elements": "str", "default": []},
            "first_id": {"type": "int", "default": 0},
            "count": {"type": "int", "default": 0},
            "owner": {"type": "str", "default": "condor"},
            "busybox": {"type": "str", "default": "/bin/busybox"},
            "commands": {"type": "list", "elements": "str", "default": []},
            "execute": {"type": "str", "default": ""},
            "directories": {"type": "list", "elements": "str", "default": []},
            "service": {"type": "str", "default": "condor.service"},
            "wait": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params
    accounts, ids = named(params["accounts"], params["first_id"], params["count"])
    user = daemon(params["owner"])
    helpers = {name: shutil.which(name, path=systemd.PATH) or "" for name in ("newuidmap", "newgidmap", "userv")}
    namespaces = number("/proc/sys/user/max_user_namespaces", 0) * number("/proc/sys/kernel/unprivileged_userns_clone", 1)
    facts: dict[str, Any] = {
        "accounts": accounts,
        "apparmor_restricts": number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 1,
        "busybox": linking(params["busybox"]),
        "cgroup_version": 2 if (CGROUP / "cgroup.controllers").exists() else 1,
        "commands": {path: wrong_with(path, user["uid"]) for path in params["commands"]},
        "cpus": os.cpu_count() or 1,
        "daemon": user,
        "directories": [path for path in params["directories"] if Path(path).is_dir()],
        "execute": sandboxes(params["execute"]),
        "exposed": list(exposed(params["directories"])),
        "helpers": helpers,
        "ids": ids,
        "privilege": privilege([helpers["newuidmap"], helpers["newgidmap"]]),
        "service": emptied(params["service"], params["wait"]),
        "subordinate": [
            {"file": path, "owner": each.owner, "first": each.first, "count": each.count}
            for path in subordinate.FILES
            for each in subordinate.ranges(read(path))
        ],
        "systemd_version": systemd.version(),
        "user_namespaces": namespaces,
    }
    module.exit_json(changed=False, ansible_facts={"execute_host": facts})


if __name__ == "__main__":
    main()
