#!/usr/bin/python
# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module container_host_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_host_facts
short_description: What a compute node offers to the flocking container
version_added: "1.0.0"
description:
  - Reads kernel, control groups, name spaces and free space of a host. Changes nothing and asks no network.
options:
  subid_start:
    description: First of the 65536 ids that containers' users are to be mapped to, to look whose they are; 0 for none.
    type: int
    default: 0
  subid_owner:
    description: The user who may map them already.
    type: str
    default: flockremap
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
  sheepfold.htcondor.container_host_facts:
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: always
  type: dict
  contains:
    container_host:
      description: What the host offers.
      type: dict
      contains:
        cgroup_version:
          description: 2 where the unified hierarchy alone is mounted, else 1.
          type: int
        cgroup_controllers:
          description: Controllers of the unified hierarchy.
          type: list
          elements: str
        cpus:
          description: How many processors the host has.
          type: int
        docker:
          description: Path of an installed client of Docker, or an empty string.
          type: str
        dockerd:
          description: Path of an installed dockerd, or an empty string.
          type: str
        free_mb:
          description: Space that is free below /var/lib, in MiB.
          type: int
        memory_mb:
          description: The host's memory, in MiB.
          type: int
        kernel_installed:
          description: Newest kernel that is installed.
          type: str
        kernel_running:
          description: Kernel that runs.
          type: str
        kernel_upgrade:
          description: Newer version of the running kernel's package that the package manager knows of, or an empty string.
          type: str
        ids_taken:
          description: Whose the ids are of O(subid_start), as getent(1) and the files of subordinate ids say.
          type: list
          elements: str
        ids_of_directories:
          description: SSSD's domains that may give these ids to accounts, each with its range.
          type: list
          elements: str
        systemd_version:
          description: Version of systemd.
          type: int
        user_namespaces:
          description: How many user namespaces the host allows.
          type: int
"""

import os
import platform
import re
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.accounts.subordinate import Range
from ansible_collections.sheepfold.htcondor.plugins.module_utils.accounts.taken import sssd_ranges, taken
from ansible_collections.sheepfold.htcondor.plugins.module_utils.host import systemd

PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


def read(path: str) -> str:
    """Return a file's content without the newline at its end, or an empty string."""
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\n")
    except OSError:
        return ""


def version_key(version: str) -> list[tuple[int, str]]:
    """Return a key that sorts kernel releases by their numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[.\-+~]", version)]


def newest_kernel(running: str) -> str:
    """Return the newest installed kernel of the running one's kind (its last word, for instance cloud-amd64)."""
    kind = re.sub(r"^[\d.+~\-]*", "", running)
    kernels = [path.name[len("vmlinuz-") :] for path in Path("/boot").glob("vmlinuz-*")]
    kernels = [name for name in kernels if re.sub(r"^[\d.+~\-]*", "", name) == kind and "rescue" not in name]
    return max([*kernels, running], key=version_key)


def kernel_upgrade(module: AnsibleModule, running: str) -> str:
    """Return the version that the package manager's own lists have ready for the kernel, or an empty string."""
    # Without lists there is nothing to know, and asking takes its time.
    if not shutil.which("apt-cache", path=PATH) or not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        return ""
    kind = re.sub(r"^[\d.+~\-]*", "", running)
    _rc, output, _errors = module.run_command(["apt-cache", "policy", f"linux-image-{kind}"], environ_update={"LC_ALL": "C"})
    found = dict(re.findall(r"^\s+(Installed|Candidate): (\S+)$", output, re.MULTILINE))
    installed, candidate = found.get("Installed", "(none)"), found.get("Candidate", "(none)")
    return candidate if "(none)" not in (installed, candidate) and installed != candidate else ""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "subid_start": {"type": "int", "default": 0},
            "subid_owner": {"type": "str", "default": "flockremap"},
        },
        supports_check_mode=True,
    )
    start = module.params["subid_start"]
    wanted = Range(module.params["subid_owner"], start, 65536 if start else 0)
    running = platform.release()
    controllers = read("/sys/fs/cgroup/cgroup.controllers")
    space = os.statvfs("/var/lib")
    facts: dict[str, Any] = {
        "cgroup_version": 2 if controllers else 1,
        "cgroup_controllers": controllers.split(),
        "cpus": os.cpu_count() or 1,
        "docker": shutil.which("docker", path=PATH) or "",
        "dockerd": shutil.which("dockerd", path=PATH) or "",
        "free_mb": space.f_bavail * space.f_frsize // 2**20,
        "ids_taken": list(taken(wanted)) if start else [],
        "ids_of_directories": [
            f"{each.owner} ({each.first} to {each.first + each.count - 1})"
            for each in sssd_ranges()
            if start and each.overlaps(wanted)
        ],
        "kernel_installed": newest_kernel(running),
        "kernel_running": running,
        "kernel_upgrade": kernel_upgrade(module, running),
        "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "systemd_version": systemd.version(),
        "user_namespaces": int(read("/proc/sys/user/max_user_namespaces") or 0),
    }
    module.exit_json(changed=False, ansible_facts={"container_host": facts})


if __name__ == "__main__":
    main()
