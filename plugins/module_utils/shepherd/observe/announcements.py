# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the shepherds of a site say to each other, by the collectors of their hosts.

Each has a generic ad in its own host's collector, where HTCondor knows its user by the file system, and reads the others' as
anybody may. Nobody gets credentials for another host.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from typing import Any

from ...condor.errors import CondorError
from ...condor.process import run
from ..decide.turn import Said, dump, load

_TYPE = "FlockShepherd"
_ATTRIBUTES = "Name,Acts,Term,Overrides"


def _line(name: str, value: Any) -> str:
    return f"{name} = {json.dumps(value)}"


class Announcements:
    """The ads of one site's shepherds."""

    def __init__(self, own: str, others: Mapping[str, str], deadline: float) -> None:
        """``own``: address of this host's collector. ``others``: those of the other central managers, by name."""
        self._own = own
        self._others = others
        self._deadline = deadline

    def tell(self, said: Said, lifetime: int) -> None:
        """Say it, for so many seconds. Raises CondorError."""
        with tempfile.NamedTemporaryFile("w", prefix="sheepfold-", suffix=".ad") as ad:
            values = {"MyType": _TYPE, **dump(said), "ClassAdLifetime": lifetime}
            ad.write("".join(f"{_line(name, value)}\n" for name, value in values.items()))
            ad.flush()
            run(["condor_advertise", "-pool", self._own, "-tcp", "UPDATE_AD_GENERIC", ad.name], self._deadline)

    def hear(self) -> dict[str, Said | None]:
        """What each of the others says; None of one that is not heard."""
        return {name: self._one(name, address) for name, address in self._others.items()}

    def _one(self, name: str, address: str) -> Said | None:
        constraint = f'MyType == "{_TYPE}" && Name == "{name}"'
        command = ["condor_status", "-pool", address, "-any", "-constraint", constraint, "-json", "-attributes", _ATTRIBUTES]
        try:
            text = run(command, self._deadline).strip()
            [ad] = json.loads(text) if text else []
            said = load(ad)
        except (CondorError, ValueError, TypeError, AttributeError, RecursionError):
            return None
        return said if said.name == name else None
