#!/usr/bin/python
# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module file_set."""

from __future__ import annotations

DOCUMENTATION = r"""
module: file_set
short_description: Keep several small files, directories and removals in one step
version_added: "1.0.0"
description:
  - Writes files that belong together, with owner and mode, in one round trip to the host.
  - Each file is replaced at once, never in parts. Files not named are left alone, except in directories that say
    O(directories[].exclusive).
  - Directories are made first and removals come last.
options:
  directories:
    description: Directories to make.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The directory. Missing parents are made, too.
        type: path
        required: true
      mode:
        description: Its mode.
        type: str
        default: "0755"
      owner:
        description: Owner's name or id.
        type: str
        default: root
      group:
        description: Group's name or id.
        type: str
        default: root
      exclusive:
        description: Remove what it holds besides O(files) and O(directories[].keep).
        type: bool
        default: false
      keep:
        description: Names in it that an exclusive directory may hold all the same.
        type: list
        elements: str
        default: []
  files:
    description: Files to write.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      content:
        description: What is to be in it.
        type: str
        required: true
      mode:
        description: Its mode.
        type: str
        default: "0644"
      owner:
        description: Owner's name or id.
        type: str
        default: root
      group:
        description: Group's name or id.
        type: str
        default: root
      program:
        description: >-
          It is one of the collection's own programs: a change is shown by its digests and not line by line, unless Ansible runs
          with C(-v).
        type: bool
        default: false
  absent:
    description: Files, or directories with all they hold, to remove.
    type: list
    elements: path
    default: []
  prune:
    description: Directories to remove where nothing is left in them, in this order, after all else.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    description: Says what would change and changes nothing.
    support: full
  diff_mode:
    description: >-
      Shows a changed file's content before and after. What is new or removed, and programs, have one line each;
      with C(-v) their content is shown too.
    support: full
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
author:
  - Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: Write a unit and its settings
  sheepfold.htcondor.file_set:
    directories:
      - {path: /etc/sheepfold/example, mode: "0755"}
    files:
      - path: /etc/systemd/system/example.service
        content: "{{ lookup('ansible.builtin.template', 'example.service.j2') }}"
      - path: /etc/sheepfold/example/settings
        content: "{{ lookup('ansible.builtin.template', 'settings.j2') }}"
        mode: "0640"
    absent: [/etc/sheepfold/example/old]
"""

RETURN = r"""
paths:
  description: What was written, made, removed or had its owner or mode changed.
  returned: success
  type: list
  elements: str
"""

import errno
import stat
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.host.file_diff import FileDiff
from ansible_collections.sheepfold.htcondor.plugins.module_utils.host.files import remove_tree

ENTRY: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
}


def read(path: Path) -> str | None:
    """Read a file; None of one that is not there, or that somebody else has removed meanwhile."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() and not path.is_symlink() else None
    except FileNotFoundError:
        return None


def entries(path: Path) -> list[Path]:
    """Return what a directory holds; nothing of one that somebody else has removed meanwhile."""
    try:
        return sorted(path.iterdir())
    except FileNotFoundError:
        return []


def remove_if_empty(path: Path) -> None:
    """Remove a directory, unless somebody else has removed it or put something in it meanwhile."""
    try:
        path.rmdir()
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTEMPTY}:
            raise


class FileSet:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.changed: list[str] = []
        self.removed: set[str] = set()
        self.diff = FileDiff(whole=module._verbosity > 0)

    def attributes(self, entry: dict[str, Any]) -> None:
        """Set owner, group and mode."""
        path = entry["path"]
        wanted = {key: entry[key] for key in ("path", "owner", "group", "mode")}
        arguments = self.module.load_file_common_arguments(wanted)
        if self.module.set_fs_attributes_if_different(arguments, changed=False) and path not in self.changed:
            self.changed.append(path)
            self.diff.line("~", path, f"owner, group and mode become {entry['owner']}, {entry['group']} and {entry['mode']}")

    def directory(self, entry: dict[str, Any]) -> None:
        """Make one directory."""
        path = Path(entry["path"])
        if path.exists() and not path.is_dir():
            self.module.fail_json(msg=f"{path} is not a directory")
        if not path.is_dir():
            self.changed.append(str(path))
            self.diff.line("+", str(path), "new directory")
            if self.module.check_mode:
                return
            path.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.attributes(entry)

    def exclusive(self, entry: dict[str, Any]) -> None:
        """Remove what a directory holds besides the named files."""
        if not entry["exclusive"] or not Path(entry["path"]).is_dir():
            return
        named = {file["path"] for file in self.module.params["files"]}
        for path in sorted(Path(entry["path"]).iterdir()):
            if str(path) not in named and path.name not in entry["keep"]:
                self.remove(str(path))

    def file(self, entry: dict[str, Any]) -> None:
        """Write one file."""
        path = Path(entry["path"])
        after = entry["content"]
        before = read(path)
        if before != after:
            self.changed.append(str(path))
            (self.diff.program if entry["program"] else self.diff.text)(str(path), before, after)
            if self.module.check_mode:
                return
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=self.module.tmpdir, delete=False) as stream:
                stream.write(after)
            Path(stream.name).chmod(stat.S_IRUSR | stat.S_IWUSR)
            self.module.atomic_move(stream.name, str(path))
        self.attributes(entry)

    def remove(self, name: str) -> None:
        """Remove one file or tree."""
        path = Path(name)
        if not path.exists() and not path.is_symlink():
            return
        is_tree = path.is_dir() and not path.is_symlink()
        self.changed.append(name)
        self.removed.add(name)
        before = read(path)
        if before is None:
            self.diff.line("-", name, "removed with all it holds" if is_tree else "removed")
        else:
            self.diff.text(name, before, None)
        if self.module.check_mode:
            return
        if is_tree:
            remove_tree(path)
        else:
            path.unlink(missing_ok=True)

    def prune(self, name: str) -> None:
        """Remove a directory that is empty, or would be without what check mode has only said to remove."""
        path = Path(name)
        if not path.is_dir() or path.is_symlink() or not {str(entry) for entry in entries(path)} <= self.removed:
            return
        self.changed.append(name)
        self.removed.add(name)
        self.diff.line("-", name, "removed, as nothing is left in it")
        if not self.module.check_mode:
            remove_if_empty(path)

    def run(self) -> None:
        """Do all of it."""
        for entry in self.module.params["directories"]:
            self.directory(entry)
        for entry in self.module.params["files"]:
            self.file(entry)
        for entry in self.module.params["directories"]:
            self.exclusive(entry)
        for name in self.module.params["absent"]:
            self.remove(name)
        for name in self.module.params["prune"]:
            self.prune(name)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    **ENTRY,
                    "mode": {"type": "str", "default": "0755"},
                    "exclusive": {"type": "bool", "default": False},
                    "keep": {"type": "list", "elements": "str", "default": []},
                },
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    **ENTRY,
                    "content": {"type": "str", "required": True},
                    "mode": {"type": "str", "default": "0644"},
                    "program": {"type": "bool", "default": False},
                },
            },
            "absent": {"type": "list", "elements": "path", "default": []},
            "prune": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    work = FileSet(module)
    try:
        work.run()
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}", paths=work.changed)
    module.exit_json(changed=bool(work.changed), paths=list(dict.fromkeys(work.changed)), diff=work.diff.result())


if __name__ == "__main__":
    main()
