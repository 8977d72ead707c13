# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep the probes from being run."""

from __future__ import annotations

from collections.abc import Iterator

from .seen import Seen


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong with the play's hosts."""
    if seen.options["state"] == "absent":
        return
    hosts, gateways = seen.facts["hosts"], seen.groups.get("flock_gateway", ())
    if not set(gateways) & set(hosts):
        yield (
            f"the play's hosts are {', '.join(hosts)}: expected the gateway {', '.join(gateways)} among them, where the probes"
            " must be seen to end"
        )
    if seen.facts["batch_size"] < 1:
        yield (
            f"the play has the gateway and {seen.facts['others'] - 1} targets: expected at most 18 targets, so that every packet"
            " can be told from the others"
        )
