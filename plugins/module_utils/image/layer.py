# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image's one layer: a root file system's tar, with everything left out that an execution point does not need."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .packages import JOB_PACKAGES, closure, parse_status
from .selection import canonical, dangling, interpreter, owners, wanted

# Fixed, so that tmpfs options and the ownership of mounts can name them.
CONDOR_ID = 600
SLOT_IDS = range(60001, 60017)

STATUS = "var/lib/dpkg/status"
LISTS = "var/lib/dpkg/info/"

# Where the container has its mounts: they must exist, its root file system being read-only.
MOUNT_POINTS = (
    ("etc/condor/config.d", 0, 0o755),
    ("etc/condor/passwords.d", 0, 0o700),
    ("etc/condor/tokens.d", 0, 0o700),
    ("run/condor", CONDOR_ID, 0o755),
    ("run/lock/condor", CONDOR_ID, 0o755),
    ("tmp", 0, 0o1777),
    ("var/lib/condor/execute", CONDOR_ID, 0o755),
    ("var/lib/condor/history", CONDOR_ID, 0o755),
    ("var/lib/condor/spool", CONDOR_ID, 0o755),
    ("var/log/condor", CONDOR_ID, 0o755),
    ("var/spool/condor", CONDOR_ID, 0o755),
    ("var/tmp", 0, 0o1777),
)


@dataclass(frozen=True)
class Contents:
    """What the layer holds. `unpacked` is in bytes, `packages` are the names of the packages kept."""

    unpacked: int
    packages: tuple[str, ...]


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return stream.read() if stream else b""


def _missing_interpreter(tar: tarfile.TarFile, member: tarfile.TarInfo, kept_names: Collection[str]) -> bool:
    if not member.isfile() or not member.mode & 0o111:
        return False
    stream = tar.extractfile(member)
    name = interpreter(stream.read(128)) if stream else ""
    return bool(name) and name not in kept_names


def _directory(path: str, owner: int, mode: int, mtime: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type = tarfile.DIRTYPE
    member.uid = member.gid = owner
    member.mode = mode
    member.mtime = mtime
    return member


def _accounts(path: str, text: str) -> str:
    if path == "etc/passwd":
        return text + "".join(f"flockslot{n}:x:{i}:{i}::/nonexistent:/usr/sbin/nologin\n" for n, i in enumerate(SLOT_IDS, 1))
    return text + "".join(f"flockslot{n}:x:{i}:\n" for n, i in enumerate(SLOT_IDS, 1))


class LayerWriter:
    """Writes the layer of one installed root file system."""

    def __init__(self, source: tarfile.TarFile, extra_packages: Collection[str]) -> None:
        """Read what is installed.

        Args:
            source: the root file system, seekable.
            extra_packages: names of installed packages to keep besides HTCondor and JOB_PACKAGES.

        Raises:
            KeyError: a package is not installed.
        """
        self.source = source
        self.members = {canonical(member.name): member for member in source.getmembers()}
        self.status = parse_status(_read(source, self.members[STATUS]).decode())
        self.keep = closure(self.status, ["condor", *JOB_PACKAGES, *extra_packages])
        lists = {
            posixpath.basename(path)[: -len(".list")].split(":")[0]: _read(source, member).decode()
            for path, member in self.members.items()
            if path.startswith(LISTS) and path.endswith(".list")
        }
        self.owned_by = owners(lists)

    def _selected(self) -> set[str]:
        files = {path for path, member in self.members.items() if not member.isdir() and wanted(path, self.owned_by, self.keep)}
        # Alternatives (awk) belong to no package: links below usr/ that lead through etc/alternatives.
        files |= {
            path
            for path, member in self.members.items()
            if member.issym() and member.linkname.startswith("/etc/alternatives/") and not self.owned_by.get(path)
        }
        names = {posixpath.basename(path) for path in files}
        files = {path for path in files if not _missing_interpreter(self.source, self.members[path], names)}
        links = {path: self.members[path].linkname for path in files if self.members[path].issym()}
        directories = {path for path, member in self.members.items() if member.isdir()}
        return files - dangling(links, (files - set(links)) | directories)

    def _directories(self, files: set[str]) -> set[str]:
        needed = {path for path, member in self.members.items() if member.isdir() and "/" not in path and path}
        for path in files | {point for point, _owner, _mode in MOUNT_POINTS}:
            parent = posixpath.dirname(path)
            while parent and parent not in needed:
                needed.add(parent)
                parent = posixpath.dirname(parent)
        return needed

    def _plan(self) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
        files = self._selected()
        made = {path: (owner, mode) for path, owner, mode in MOUNT_POINTS}
        mtime = int(max((member.mtime for member in self.members.values()), default=0))
        for path in sorted(files | self._directories(files) | set(made) | {STATUS}):
            member = self.members.get(path)
            if path in made or member is None:
                yield _directory(path, *made.get(path, (0, 0o755)), mtime), b""
                continue
            content = _read(self.source, member) if member.isfile() or member.islnk() else b""
            if path == STATUS:
                content = ("\n\n".join(self.status[name].paragraph for name in sorted(self.keep)) + "\n").encode()
            elif path in {"etc/passwd", "etc/group"}:
                content = _accounts(path, content.decode()).encode()
            yield member, content

    def write(self, out: BinaryIO) -> Contents:
        """Write the layer and say what is in it."""
        unpacked = 0
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as target:
            for member, content in self._plan():
                entry = _entry(member, len(content))
                unpacked += len(content)
                target.addfile(entry, io.BytesIO(content) if entry.isfile() else None)
        return Contents(unpacked, tuple(sorted(self.keep)))


def _entry(member: tarfile.TarInfo, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(canonical(member.name))
    entry.type = tarfile.REGTYPE if member.isfile() or member.islnk() else member.type
    entry.linkname = member.linkname if member.issym() else ""
    # Nothing in the container may gain another user's rights: no set-id bits.
    entry.mode = member.mode & 0o1777
    entry.uid, entry.gid = member.uid, member.gid
    entry.mtime = int(member.mtime)
    entry.size = size
    return entry


def write_layer(root: Path, out: BinaryIO, extra_packages: Collection[str]) -> Contents:
    """Write the layer for the root file system in the tar file `root`.

    Raises:
        KeyError: a package is not installed in it.
        OSError: a file cannot be read or written.
    """
    with tarfile.open(root) as source:
        return LayerWriter(source, extra_packages).write(out)
