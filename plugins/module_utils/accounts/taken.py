# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose a range of ids is already: accounts, groups, what others may map, and what SSSD may give to accounts of a directory."""

from __future__ import annotations

import configparser
import grp
import pwd
from collections.abc import Iterator, Sequence
from pathlib import Path

from .subordinate import FILES, Range, ranges

SSSD = (Path("/etc/sssd/sssd.conf"), Path("/etc/sssd/conf.d"))
#: Where SSSD makes ids of a directory's own ones (sssd-ldap(5), ldap_idmap_range_min and _max).
_SSSD_FIRST, _SSSD_END = 200000, 2000200000


def taken(wanted: Range) -> Iterator[str]:
    """Yield whose ids of the wanted range are, as getent(1) and the files of subordinate ids say."""
    for name, number in [
        *((f"account {account.pw_name}", account.pw_uid) for account in pwd.getpwall()),
        *((f"group {group.gr_name}", group.gr_gid) for group in grp.getgrall()),
    ]:
        if wanted.first <= number < wanted.first + wanted.count:
            yield f"{name} ({number})"
    for file in FILES:
        for found in ranges(_read(Path(file))):
            if found.owner != wanted.owner and found.overlaps(wanted):
                yield f"{found} in {file}"


def sssd_ranges(places: Sequence[Path] = SSSD) -> list[Range]:
    """Return for each of SSSD's domains that makes ids by itself where it takes them from."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    for place in places:
        for path in sorted(place.glob("[!.]*.conf")) if place.is_dir() else [place]:
            try:
                parser.read_string(_read(path))
            except configparser.Error:
                # SSSD reads none of it either.
                continue
    found = []
    for section in parser.sections():
        if not section.startswith("domain/"):
            continue
        domain = parser[section]
        # A directory of Microsoft's has no ids of its own, as a rule: sssd-ad(5).
        default = "true" if domain.get("id_provider", "").strip().lower() == "ad" else "false"
        if domain.get("ldap_id_mapping", default).strip().lower() == "true":
            first = _number(domain.get("ldap_idmap_range_min", ""), _SSSD_FIRST)
            end = _number(domain.get("ldap_idmap_range_max", ""), _SSSD_END)
            found.append(Range(section[len("domain/") :], first, max(end - first, 0)))
    return found


def _number(text: str, default: int) -> int:
    return int(text) if text.strip().isdecimal() else default


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
