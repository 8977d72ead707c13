#!/usr/bin/python
# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module pool_accounts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pool_accounts
short_description: Keep the accounts that jobs run as, and one user's right to become them
version_added: "1.0.0"
description:
  - Keeps a row of local accounts without shell and home, each with a group of its own name and id, and gives one user the
    subordinate ids of all of them (C(/etc/subuid), C(/etc/subgid)), so that C(newuidmap) lets it run processes as these accounts.
  - Accounts are known as the module's own by their comment. No other account, and no other line of these files, is ever changed.
  - Where C(cron) and C(at) are installed, these accounts are denied both.
options:
  prefix:
    description: The accounts' names are this and a number of two digits or more, from 01.
    type: str
    required: true
  first_id:
    description: User and group id of the first account; the others follow it.
    type: int
    required: true
  count:
    description: How many there are; none for 0. Accounts of the module's own beyond that are removed.
    type: int
    required: true
  owner:
    description: The user that gets the subordinate ids.
    type: str
    required: true
attributes:
  check_mode:
    description: Says what would change and changes nothing.
    support: full
  diff_mode:
    description: Shows each changed file before and after; accounts, and files that are new or removed, have one line.
    support: full
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
author:
  - Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: Have sixteen accounts for jobs, which the user condor may become
  sheepfold.htcondor.pool_accounts:
    prefix: pool
    first_id: 2100000000
    count: 16
    owner: condor
"""

RETURN = r"""
added:
  description: Accounts that were made.
  returned: success
  type: list
  elements: str
removed:
  description: Accounts that were removed.
  returned: success
  type: list
  elements: str
files:
  description: Files that were changed besides the password file.
  returned: success
  type: list
  elements: str
"""

import contextlib
import grp
import pwd
import re
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.accounts import subordinate
from ansible_collections.sheepfold.htcondor.plugins.module_utils.host.file_diff import FileDiff
from ansible_collections.sheepfold.htcondor.plugins.module_utils.host.files import write_file

MARK = "Sheepfold pool account"
SHELL = "/usr/sbin/nologin"
#: Nobody's to write to; a home that is there, because uservd goes to it before it reads anything.
HOME = "/var/lib/sheepfold/empty"
#: The tool, who may use it, who may not. A user is denied by the second where the first is not there.
TIMERS = (("crontab", "/etc/cron.allow", "/etc/cron.deny"), ("at", "/etc/at.allow", "/etc/at.deny"))
MADE = "# Made by role sheepfold.htcondor.execute_node"


class Accounts:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        params = module.params
        self.first, self.owner, self.prefix = params["first_id"], params["owner"], params["prefix"]
        self.wanted = {f"{self.prefix}{number + 1:02d}": self.first + number for number in range(params["count"])}
        self.added: list[str] = []
        self.removed: list[str] = []
        self.files: list[str] = []
        self.diff = FileDiff(whole=module._verbosity > 0)

    def ours(self) -> dict[str, int]:
        """Return the accounts that this module has made, with their ids."""
        name = re.compile(re.escape(self.prefix) + r"\d{2,}")
        return {user.pw_name: user.pw_uid for user in pwd.getpwall() if user.pw_gecos == MARK and name.fullmatch(user.pw_name)}

    def run(self, *command: str) -> None:
        """Run a tool of the system's."""
        if not self.module.check_mode:
            self.module.run_command(list(command), check_rc=True)

    def add(self, name: str, number: int) -> None:
        """Make one account and its group."""
        try:
            if grp.getgrnam(name).gr_gid != number:
                self.module.fail_json(
                    msg=f"group {name} has the id {grp.getgrnam(name).gr_gid}: expected {number}, or no such group"
                )
        except KeyError:
            self.run("groupadd", "--gid", str(number), name)
        self.run(
            *("useradd", "--no-log-init", "--no-create-home", "--no-user-group"),
            *("--uid", str(number), "--gid", str(number), "--home-dir", HOME, "--shell", SHELL, "--comment", MARK, name),
        )
        self.added.append(name)

    def remove(self, name: str) -> None:
        """Remove one account, and its group where userdel(8) has left it. An account with processes is refused by userdel."""
        self.run("userdel", name)
        with contextlib.suppress(KeyError):
            if grp.getgrnam(name).gr_gid >= self.first:
                self.run("groupdel", name)
        self.removed.append(name)

    def users(self) -> None:
        """Make what is missing and remove what is too much."""
        there = self.ours()
        for name, number in self.wanted.items():
            if name not in there:
                self.add(name, number)
        for name in sorted(set(there) - set(self.wanted)):
            self.remove(name)
        for sign, names in (("+", self.added), ("-", self.removed)):
            if names:
                self.diff.line(sign, "accounts", names[0] if len(names) == 1 else f"{len(names)}, {names[0]} to {names[-1]}")

    def file(self, path: str, after: str | None) -> None:
        """Write a file that is not as it shall be, or remove it."""
        target = Path(path)
        before = target.read_text(encoding="utf-8") if target.exists() else None
        if before == after:
            return
        self.files.append(path)
        self.diff.text(path, before, after)
        if self.module.check_mode:
            return
        if after is not None:
            # at(1) reads its list as its own group.
            status = target.stat() if before is not None else None
            owner = (status.st_uid, status.st_gid) if status else None
            write_file(target, after.encode(), status.st_mode & 0o777 if status else 0o644, owner)
        else:
            target.unlink()

    def ranges(self) -> None:
        """Give the owner the accounts' ids, and nobody else's."""
        for path in subordinate.FILES:
            there = Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
            after = subordinate.with_range(there, self.owner, self.first, len(self.wanted))
            if after != there:
                self.file(path, after)

    def timers(self) -> None:
        """Deny cron and at, where they are installed and go by a list of those who may not."""
        for tool, allow, deny in TIMERS:
            path = Path(deny)
            # Without either list Debian's cron serves everybody; elsewhere, and with at, that means root alone.
            may_make = tool == "crontab" and Path("/etc/debian_version").exists()
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            kept = [line for line in lines if line not in self.wanted and line not in self.removed]
            usable = self.module.get_bin_path(tool) and not Path(allow).exists() and (path.exists() or may_make)
            if usable and self.wanted:
                kept = [*([] if path.exists() else [MADE]), *kept, *self.wanted]
                self.file(deny, "".join(f"{line}\n" for line in kept))
            elif path.exists() and kept != lines:
                self.file(deny, None if kept == [MADE] else "".join(f"{line}\n" for line in kept))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "prefix": {"type": "str", "required": True},
            "first_id": {"type": "int", "required": True},
            "count": {"type": "int", "required": True},
            "owner": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    work = Accounts(module)
    try:
        work.users()
        work.ranges()
        work.timers()
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}", added=work.added, removed=work.removed)
    result: dict[str, Any] = {"added": work.added, "removed": work.removed, "files": work.files}
    module.exit_json(changed=any(result.values()), diff=work.diff.result(), **result)


if __name__ == "__main__":
    main()
