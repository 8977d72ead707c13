# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which installed packages the flocking image keeps. Pure: reads dpkg's status as text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

# What a job may expect of a host, besides what it brings along.
JOB_PACKAGES = (
    "base-files",
    "base-passwd",
    "bash",
    "ca-certificates",
    "coreutils",
    "dash",
    "diffutils",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "libc-bin",
    "mawk",
    "sed",
    "tar",
    "util-linux",
)

# Needed while packages are being installed, never afterwards: nothing is installed in a read-only container.
INSTALL_ONLY = frozenset(
    {"adduser", "apt", "debconf", "debconf-2.0", "dpkg", "init-system-helpers", "login", "passwd", "perl-base", "sysvinit-utils"}
)

# What HTCondor's package asks for on behalf of tools that an execution point does not run (credential monitors, the
# submit-side Python bindings, statistics pages, wake-on-LAN).
CONDOR_UNUSED = re.compile(
    r"perl(:any)?|libdate-manip-perl|python3\S*|libpython3\S*|libboost-python\S*|libjs-\S+|net-tools|condor-upgrade-checks"
)


@dataclass(frozen=True)
class Package:
    """One installed package. `depends` holds alternatives: any one of an inner tuple is enough."""

    name: str
    depends: tuple[tuple[str, ...], ...]
    provides: frozenset[str]
    paragraph: str


def _field(paragraph: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(.*(?:\n[ \t].*)*)", paragraph, re.MULTILINE)
    return found.group(1).strip() if found else ""


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.split("(")[0].split(":")[0].strip() for part in text.split("|"))


def parse_status(text: str) -> dict[str, Package]:
    """Return the installed packages by name.

    Args:
        text: the content of dpkg's status file.
    """
    packages = {}
    for paragraph in text.strip().split("\n\n"):
        name = _field(paragraph, "Package")
        if not name or not _field(paragraph, "Status").endswith(" installed"):
            continue
        depends = [_field(paragraph, "Pre-Depends"), _field(paragraph, "Depends")]
        packages[name] = Package(
            name=name,
            depends=tuple(_names(term) for field in depends if field for term in field.split(",") if term.strip()),
            provides=frozenset(_names(term)[0] for term in _field(paragraph, "Provides").split(",") if term.strip()),
            paragraph=paragraph,
        )
    return packages


def _provider(packages: dict[str, Package], alternatives: Iterable[str]) -> str | None:
    for wanted in alternatives:
        if wanted in packages:
            return wanted
        for package in packages.values():
            if wanted in package.provides:
                return package.name
    return None


def closure(packages: dict[str, Package], roots: Collection[str]) -> set[str]:
    """Return the packages that `roots` need to run, themselves included.

    Args:
        packages: what is installed.
        roots: names of installed packages.

    Raises:
        KeyError: a root is not installed.
    """
    keep: set[str] = set()
    todo = list(roots)
    while todo:
        name = todo.pop()
        if name in keep:
            continue
        keep.add(name)
        for alternatives in packages[name].depends:
            if any(other in INSTALL_ONLY for other in alternatives):
                continue
            if name == "condor" and all(CONDOR_UNUSED.fullmatch(other) for other in alternatives):
                continue
            provider = _provider(packages, alternatives)
            if provider is not None:
                todo.append(provider)
    return keep
