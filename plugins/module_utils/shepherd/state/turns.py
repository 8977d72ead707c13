# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The turn of this host's shepherd, kept on its disk.

``turn`` says whether it acts, ``carried`` what the last other one that acted had said, ``acted`` when a cycle did. Commands write
``turn`` too, and the daemon's cycles only where it changes: a command that takes it away is not undone by a cycle under way.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ...host.directory import Directory
from ..config.configuration import Configuration
from ..config.managers import ManagersOptions
from ..decide.turn import BYTES_MOST, Said, Turn, dump, judge, load, take_over
from ..model import Override, OverrideKind
from ..observe.announcements import Announcements
from .override_files import OverrideFiles
from .state_file import MEMORY

_LIFE = 4
"""cycles that what was said is believed for"""


class Turns:
    """Whose turn it is."""

    def __init__(self, configuration: Configuration, announcements: Announcements | None = None) -> None:
        # One that stood by when the others left the inventory goes on to: they may still run.
        managers = configuration.managers or ManagersOptions("this one", begins=True)
        self.name = managers.name
        self._begins = managers.begins
        self._alone = not managers.others
        self._directory = Path(configuration.state_directory)
        self._overrides = OverrideFiles(self._directory, configuration.tmp_flockoff)
        self._gap = configuration.settings.lease
        self._life = _LIFE * configuration.settings.cycle
        self._announcements = announcements or Announcements(
            configuration.pool.collector, managers.addresses(), configuration.pool.timeout
        )

    @classmethod
    def of(cls, configuration: Configuration) -> Turns | None:
        """Those of a configuration; None where there is one shepherd and never were others."""
        found = cls(configuration)
        return found if configuration.managers or found.read() is not None else None

    # Files

    def _read(self, name: str) -> Any:
        try:
            with Directory.open(self._directory) as directory:
                return json.loads(directory.read(name, 4 * BYTES_MOST)[0])
        except FileNotFoundError:
            return None

    def _write(self, name: str, values: Any) -> None:
        with Directory.open(self._directory) as directory:
            directory.write(name, (json.dumps(values) + "\n").encode(), 0o644, give=True)

    def read(self) -> Turn | None:
        """The turn, None where there is none yet. Raises OSError; one that cannot be read stands by."""
        try:
            values = self._read("turn")
        except ValueError:
            return Turn()
        if values is None:
            return None
        try:
            acted = self._read("acted")
        except ValueError:
            acted = 0
        if not isinstance(values, dict) or type(values.get("term")) is not int:
            return Turn()
        return Turn(values.get("acts") is True, values["term"], acted if type(acted) is int else 0)

    def _keep(self, turn: Turn) -> None:
        self._write("turn", {"acts": turn.acts, "term": turn.term})

    def carried(self) -> Said | None:
        """What was kept of the last other one that acted. Raises OSError."""
        try:
            values = self._read("carried")
            return load(values) if isinstance(values, dict) else None
        except ValueError:
            return None

    # The daemon

    def why_not(self, now: int) -> str:
        """Why this cycle does nothing; empty when it acts. Raises OSError or CondorError, and then it does nothing either."""
        before = self.read()
        mine = before or Turn()
        # In this order: of two that act, at least one sees the other.
        self._say(mine)
        others = self._announcements.hear()
        turn, why = judge(before, self.name, others, now, self._gap, begins=self._begins)
        self._carry(turn, others)
        if before is None:
            # One that is to begin and does not hear everybody yet may still begin.
            if turn.acts or not self._begins or any(said.term for said in others.values() if said):
                self._keep(turn)
        elif (turn.acts, turn.term) != (before.acts, before.term):
            self._keep(turn)
        if mine.acts and not turn.acts:
            # The one that has taken over waits for it.
            self._say(turn)
        if not why:
            self._write("acted", turn.acted)
        return why

    def _say(self, turn: Turn) -> None:
        if self._alone:
            return
        self._announcements.tell(Said(self.name, turn.acts, turn.term, self._overrides.read().overrides), self._life)

    def _carry(self, turn: Turn, others: dict[str, Said | None]) -> None:
        newest = max((said for said in others.values() if said is not None), key=lambda said: said.term, default=None)
        if turn.acts or newest is None or newest.overrides is None or newest.term <= turn.term:
            return
        if self.carried() != newest:
            self._write("carried", dump(newest))

    # Commands

    def stands_by_for(self) -> str | None:
        """Who acts, as far as is known, where this one does not; None where it does or is about to begin. Raises OSError."""
        turn = self.read()
        if (turn is None and self._begins) or (turn is not None and turn.acts):
            return None
        carried = self.carried()
        return carried.name if carried is not None and carried.acts else "the other one"

    def stand_by(self) -> bool:
        """Act no longer; whether it did. The daemon says so with its next cycle, when none is under way. Raises OSError."""
        turn = self.read() or Turn()
        self._keep(Turn(False, turn.term))
        return turn.acts

    def take_over(self, *, dead: bool) -> tuple[str, bool]:
        """Act from the next cycle on; whose overrides were taken (empty: its own), and whether they are known.

        Raises Refused or OSError.
        """
        turn, carried = self.read() or Turn(), self.carried()
        became, source = take_over(turn, self.name, self._announcements.hear(), carried, dead=dead)
        if source is not None:
            if source.overrides is None:
                return self._unknown(source.name, became)
            self._replace(source.overrides)
        elif not turn.term and dead:
            return self._unknown("the other one", became)
        self._begin(became)
        return (source.name if source else ""), True

    def _begin(self, turn: Turn) -> None:
        # What was remembered of an earlier turn is not so any more; what is under way is seen in the ads.
        with Directory.open(self._directory) as directory:
            directory.remove(MEMORY)
        # Who says nothing was spoken for just now: it is no pause.
        self._write("acted", int(time.time()))
        self._keep(turn)

    def _replace(self, wanted: tuple[Override, ...]) -> None:
        """Have these overrides and no others; those that are new come first."""
        files = OverrideFiles(self._directory)
        written = {path for override in reversed(wanted) for path in files.write(override)}
        for override in files.read().overrides:
            if Path(override.source) not in written:
                files.remove(override.kind, override.nodes if Path(override.source).parent != self._directory else ())

    def _unknown(self, name: str, became: Turn) -> tuple[str, bool]:
        reason = f"taken over without what {name} held and had switched off: look at it, then run shepherd on"
        OverrideFiles(self._directory).write(Override(OverrideKind.OFF, "shepherd", reason))
        self._begin(became)
        return name, False
