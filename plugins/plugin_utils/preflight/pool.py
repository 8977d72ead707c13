# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep the pool's daemons on a host from knowing the flock."""

from __future__ import annotations

from collections.abc import Iterator

from . import values
from .seen import Seen

KINDS = {
    "trust_domain": values.matching(r"[A-Za-z0-9][A-Za-z0-9.-]*", "letters, digits, dots and hyphens"),
    "wan_address": values.ADDRESS,
    "private_network": values.DOMAIN,
    "local_domains": values.DOMAIN,
    "mirror_seconds": values.between(1, 3600),
    "mirror_user": values.USER,
    # HTCondor makes no session of 0 seconds, and after a day a key that was taken back should be good for nothing.
    "session_seconds": values.between(60, 86400),
    "config_directory": values.PATH,
}


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong."""
    if seen.options["state"] == "absent":
        return
    yield from values.problems("pool", seen.options, KINDS)
