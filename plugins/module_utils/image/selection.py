# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of a freshly installed root file system the flocking image keeps. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

# Files no package owns are kept outside these places: there they are caches, logs and secrets of the build.
UNOWNED_DROPPED = ("boot/", "dev/", "home/", "media/", "mnt/", "opt/", "proc/", "root/", "run/", "srv/", "sys/", "usr/", "var/")

# Accounts cannot be logged in to, and every container would share a machine id made at build time.
ALWAYS_DROPPED = (
    "dev/*",
    "etc/*-",
    "etc/.pwd.lock",
    "etc/apt/*",
    "etc/condor/config.d/*",
    "etc/cron.*",
    "etc/gshadow",
    "etc/hostname",
    "etc/machine-id",
    "etc/resolv.conf",
    "etc/shadow",
    "usr/share/lintian/*",
    "var/cache/*",
    "var/lib/apt/*",
    "var/log/*",
)

# HTCondor's other roles: what an access point, a central manager or a grid gateway runs.
CONDOR_DROPPED = (
    "etc/bl*",
    "usr/bin/bl*",
    "usr/bin/classad_*",
    "usr/bin/condor_annex",
    "usr/bin/condor_dagman",
    "usr/bin/condor_job_router_info",
    "usr/bin/condor_q",
    "usr/bin/condor_submit*",
    "usr/libexec/bl*",
    "usr/libexec/condor/adstash/*",
    "usr/libexec/condor/annex/*",
    "usr/libexec/condor/condor_defrag",
    "usr/libexec/condor/condor_gangliad",
    "usr/libexec/condor/condor_job_router",
    "usr/libexec/condor/credmon/*",
    "usr/libexec/condor/htcondor_docker_test",
    "usr/sbin/*gahp*",
    "usr/sbin/*GAHP*",
    "usr/sbin/bl*",
    "usr/sbin/condor_*gahp*",
    "usr/sbin/condor_collector",
    "usr/sbin/condor_gridmanager",
    "usr/sbin/condor_had",
    "usr/sbin/condor_negotiator",
    "usr/sbin/condor_replication",
    "usr/sbin/condor_schedd",
    "usr/sbin/condor_shadow",
)

# Of these packages only what the slots' users are cleaned with (role flock_startd); the rest is for a host.
ONLY: Mapping[str, tuple[str, ...]] = {"util-linux": ("usr/bin/ipcrm", "usr/bin/setpriv", "usr/share/doc/*")}

_MERGED = ("bin/", "sbin/", "lib/", "lib64/")


def canonical(path: str) -> str:
    """Return a path without its leading "./" or "/", below usr/ where Debian has merged the directories."""
    path = posixpath.normpath("/" + path.lstrip(".")).lstrip("/")
    return f"usr/{path}" if path.startswith(_MERGED) else path


def owners(lists: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the packages that own each path.

    Args:
        lists: by package, the content of its dpkg list file.
    """
    result: dict[str, set[str]] = {}
    for package, text in lists.items():
        for line in text.splitlines():
            result.setdefault(canonical(line), set()).add(package)
    return result


def wanted(path: str, owned_by: Mapping[str, set[str]], keep: Iterable[str]) -> bool:
    """Say whether a file (not a directory) belongs to the image.

    Args:
        path: as given by canonical().
        owned_by: as given by owners().
        keep: the packages of the image.
    """
    if any(fnmatchcase(path, pattern) for pattern in ALWAYS_DROPPED):
        return False
    packages = owned_by.get(path, set())
    if not packages:
        return not path.startswith(UNOWNED_DROPPED)
    if packages == {"condor"} and any(fnmatchcase(path, pattern) for pattern in CONDOR_DROPPED):
        return False
    kept = packages.intersection(keep)
    return any(package not in ONLY or any(fnmatchcase(path, pattern) for pattern in ONLY[package]) for package in kept)


def dangling(links: Mapping[str, str], present: set[str]) -> set[str]:
    """Return the symbolic links that lead to nothing, also by way of one another.

    Args:
        links: targets by canonical path.
        present: canonical paths of everything else in the image, directories included.
    """
    alive = set(present)
    rest = dict(links)
    while True:
        found = {path for path, target in rest.items() if _target(path, target) in alive or target.startswith("/proc/")}
        if not found:
            return set(rest)
        alive |= found
        for path in found:
            del rest[path]


def _target(path: str, target: str) -> str:
    return canonical(posixpath.join("/", posixpath.dirname(path), target))


def interpreter(head: bytes) -> str:
    """Return the base name of a script's interpreter, or an empty string.

    Args:
        head: the file's first bytes.
    """
    if not head.startswith(b"#!"):
        return ""
    words = head[2:].split(b"\n", 1)[0].decode("utf-8", "replace").split()
    names = [posixpath.basename(word) for word in words if not word.startswith("-")]
    if names and names[0] == "env":
        names = names[1:]
    return names[0] if names else ""
