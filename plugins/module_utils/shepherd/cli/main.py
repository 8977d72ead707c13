# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command ``shepherd``.

Exit status: 0 done, 1 it could not be done, 2 the command line or the configuration is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from ...condor.errors import CondorError
from .. import journal, summary
from ..config.configuration import DEFAULT_PATH, Configuration, ConfigurationError, load
from ..cycle import Report, prepare
from ..daemon import metrics
from ..daemon.main import Daemon
from ..decide.turn import Refused
from ..model import Override, OverrideKind
from ..simulate.simulation import Plant
from ..simulate.trace_file import simulate
from ..simulate.traces import TraceError
from ..state.leader_lock import LeaderLock
from ..state.override_files import OverrideFiles, is_node_name
from ..state.turns import Turns
from . import tables, turns
from .check_config import check
from .printable import printable, shown

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 3650 * 86400
"""seconds of the longest time that somebody may mean: ten years"""


class CommandFailure(Exception):
    """A command that could not be done; one sentence."""


def duration(text: str) -> int:
    """Seconds of ``90s``, ``30m``, ``8h``, ``2d``, ``1w`` or a plain number of seconds. Raises ArgumentTypeError."""
    found = re.fullmatch(r"([1-9][0-9]{0,8})([smhdw]?)", text, re.ASCII)
    seconds = int(found[1]) * _UNITS[found[2] or "s"] if found else 0
    if not 0 < seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a time such as 90s, 30m, 8h or 2d, of at most {_LONGEST // 86400}d")
    return seconds


def node_name(text: str) -> str:
    """A node's name. Raises ArgumentTypeError."""
    if not is_node_name(text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a node's name")
    return text


def count(text: str) -> int:
    """A whole number above 0. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return int(text)


def caller() -> str:
    """Who runs this, behind sudo too."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name


def _planned(configuration: Configuration, err: TextIO) -> Report:
    """What a cycle would be now. Raises Failure."""
    try:
        cycle = prepare(configuration, log=journal.silent, seed=os.uname().nodename)
    except CondorError as error:
        raise CommandFailure(f"the pool cannot be asked: {error}") from error
    try:
        report = cycle.run(plan=True)
    finally:
        cycle.close()
    if report.error:
        raise CommandFailure(report.error)
    for problem in report.problems:
        err.write(f"shepherd: {printable(problem)}\n")
    return report


def _as_json(value: Any, out: TextIO) -> None:
    out.write(json.dumps(value, indent=2, sort_keys=True) + "\n")


class Commands:
    """One method for each command; each returns the exit status."""

    def __init__(self, arguments: argparse.Namespace, out: TextIO, err: TextIO) -> None:
        self.arguments = arguments
        self.out = out
        self.err = err

    def _configuration(self) -> Configuration:
        path = self.arguments.config
        if path is None and not Path(DEFAULT_PATH).exists():
            return Configuration()
        return load(path or DEFAULT_PATH)

    def _lock(self, configuration: Configuration) -> LeaderLock:
        return LeaderLock(Path(configuration.state_directory) / "lock")

    def _colour(self) -> bool:
        return self.out.isatty() and not os.environ.get("NO_COLOR")

    def _stands_by_for(self, configuration: Configuration) -> str | None:
        """The one of several shepherds that acts where this one does not; None where this one does."""
        mine = Turns.of(configuration)
        acting = mine.stands_by_for() if mine else None
        return printable(acting) if acting else None

    def _daemon(self, configuration: Configuration, report: Report) -> str:
        holder = self._lock(configuration).holder()
        when = f"; last cycle {tables.moment(report.before.at)}" if report.before.at else ""
        acting = self._stands_by_for(configuration)
        when += f"; it stands by, {acting} acts" if acting else ""
        return (f"shepherd runs as process {holder}" if holder else "no shepherd runs on this host") + when

    def status(self) -> int:
        """The table of all nodes."""
        while True:
            configuration = self._configuration()
            report = _planned(configuration, self.err)
            nodes, whole = summary.nodes(report), summary.whole(report)
            if self.arguments.watch:
                self.out.write("\x1b[H\x1b[2J")
            if self.arguments.json:
                _as_json({**whole, "nodes": nodes, "daemon": self._lock(configuration).holder()}, self.out)
            else:
                tables.status(shown(nodes), shown(whole), self.out, colour=self._colour())
                self.out.write(self._daemon(configuration, report) + "\n")
            self.out.flush()
            if not self.arguments.watch:
                return 0
            time.sleep(self.arguments.watch)

    def plan(self) -> int:
        """What the next cycle would do."""
        report = _planned(self._configuration(), self.err)
        nodes, whole = summary.nodes(report), summary.whole(report)
        if self.arguments.json:
            _as_json({**whole, "nodes": [node for node in nodes if node["actions"]]}, self.out)
        else:
            tables.plan(shown(nodes), shown(whole), self.out)
        return 0

    def explain(self) -> int:
        """All that is known of one node."""
        report = _planned(self._configuration(), self.err)
        wanted = self.arguments.node
        nodes = {node["name"]: node for node in summary.nodes(report)}
        # By the name of either side.
        for pair in report.snapshot.pairs if report.snapshot else ():
            for side in (pair.regular, pair.flocking):
                if side is not None:
                    nodes.setdefault(side.name, nodes[pair.name])
                    nodes.setdefault(side.machine, nodes[pair.name])
        if wanted not in nodes:
            names = ", ".join(sorted({node["name"] for node in nodes.values()})) or "none"
            raise CommandFailure(f"node is {wanted}: expected one that the collector knows as one side of a pair ({names})")
        if self.arguments.json:
            _as_json(nodes[wanted], self.out)
        else:
            tables.explain(shown(nodes[wanted]), shown(summary.whole(report)), self.out)
        return 0

    def simulate(self) -> int:
        """Replay a trace."""
        arguments = self.arguments
        plant = Plant(arguments.nodes, arguments.cores)
        try:
            found = simulate(arguments.trace, self._configuration().settings, plant, seed=arguments.seed, days=arguments.days)
        except TraceError as error:
            raise CommandFailure(str(error)) from error
        if arguments.json:
            _as_json(found, self.out)
        else:
            width = max(map(len, found))
            self.out.write("".join(f"{name.ljust(width)}  {value}\n" for name, value in found.items()))
        return 0

    def _override(self, kind: OverrideKind, nodes: Sequence[str]) -> int:
        configuration = self._configuration()
        arguments = self.arguments
        override = Override(
            kind=kind,
            owner=caller(),
            reason=arguments.reason,
            expires=int(time.time()) + arguments.duration if arguments.duration else 0,
            evict=getattr(arguments, "evict", False),
            nodes=frozenset(nodes),
        )
        return self._changed(configuration, lambda files: files.write(override), "written")

    def _changed(self, configuration: Configuration, change: Callable[[OverrideFiles], list[Path]], word: str) -> int:
        acting = self._stands_by_for(configuration)
        if acting:
            raise CommandFailure(
                f"this shepherd stands by, and what it has is left behind when it acts: run this where it acts, on {acting}"
            )
        try:
            paths = change(OverrideFiles(Path(configuration.state_directory)))
        except OSError as error:
            raise CommandFailure(
                f"{error.filename or configuration.state_directory} cannot be written: {error.strerror}"
            ) from error
        for path in paths:
            self.out.write(f"{path} {word}\n")
        if not paths:
            self.out.write("no matching override\n")
            return 0
        woken = self._lock(configuration).wake()
        self.out.write(
            "the shepherd looks at it now\n" if woken else "in effect with the next cycle; no shepherd could be told\n"
        )
        return 0

    def off(self) -> int:
        """Switch lending off, everywhere or on some nodes."""
        return self._override(OverrideKind.OFF, self.arguments.node or [])

    def hold(self) -> int:
        """Leave nodes alone, for maintenance."""
        return self._override(OverrideKind.HOLD, self.arguments.node)

    def on(self) -> int:
        """Take ``off`` back."""
        return self._changed(
            self._configuration(), lambda files: files.remove(OverrideKind.OFF, self.arguments.node or []), "removed"
        )

    def release(self) -> int:
        """Take ``hold`` back."""
        return self._changed(self._configuration(), lambda files: files.remove(OverrideKind.HOLD, self.arguments.node), "removed")

    def stand_by(self) -> int:
        """Have this one of several shepherds act no longer."""
        return self._of_several(turns.stand_by)

    def take_over(self) -> int:
        """Have this one of several shepherds act, with the overrides of the one before."""
        return self._of_several(partial(turns.take_over, dead=self.arguments.other_is_dead))

    def _of_several(self, do: Callable[[Configuration, Turns], list[str]]) -> int:
        configuration = self._configuration()
        mine = Turns.of(configuration)
        if mine is None:
            raise CommandFailure("managers is not given, there is one central manager: expected several")
        try:
            said = do(configuration, mine)
        except (Refused, CondorError) as error:
            raise CommandFailure(str(error)) from error
        except OSError as error:
            raise CommandFailure(f"{error.filename or configuration.state_directory} cannot be used: {error.strerror}") from error
        woken = self._lock(configuration).wake()
        last = "the shepherd looks at it now" if woken else "no shepherd runs here: start shepherd.service, which then says so"
        self.out.write("".join(f"{line}\n" for line in [*said, last]))
        return 0

    def check_config(self) -> int:
        """Look at the configuration, and at what it names."""
        configuration = self._configuration()
        problems = check(configuration, offline=self.arguments.offline)
        for problem in problems:
            self.err.write(f"shepherd: {printable(problem)}\n")
        if not problems:
            self.out.write("configuration is valid\n")
        return 2 if problems else 0

    def run(self) -> int:
        """Be the daemon."""
        path = self.arguments.config or DEFAULT_PATH
        return Daemon(path, meter=metrics.serve).run()

    def cycle(self) -> int:
        """Run one cycle, if no shepherd does."""
        configuration = self._configuration()
        lock = self._lock(configuration)
        try:
            if not lock.acquire():
                raise CommandFailure(f"process {lock.holder()} is the shepherd now ({lock.path}): expected none beside it")
        except OSError as error:
            raise CommandFailure(f"{lock.path} cannot be used: {error.strerror}") from error
        try:
            cycle = prepare(configuration, seed=os.uname().nodename)
            report = cycle.run()
            cycle.close()
        except CondorError as error:
            raise CommandFailure(f"the pool cannot be asked: {error}") from error
        finally:
            lock.release()
        if report.error:
            raise CommandFailure(report.error)
        if self.arguments.json:
            _as_json({**summary.whole(report), "nodes": summary.nodes(report)}, self.out)
        return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="shepherd", description="Lend idle machines to the flock, and take them back for local work."
    )
    top.add_argument("--config", metavar="FILE", help=f"configuration (default: {DEFAULT_PATH}, or none where that is not there)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, words: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")

    def with_json(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
        made.add_argument("--json", action="store_true", help="as JSON")
        return made

    def with_reason(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
        made.add_argument("--reason", required=True, help="why; it is shown and logged")
        words = "for so long: 90s, 30m, 8h, 2d (default: until taken back)"
        made.add_argument("--for", dest="duration", type=duration, metavar="TIME", help=words)
        return made

    status = with_json(add("status", "show every node and the totals"))
    status.add_argument(
        "--watch", nargs="?", type=duration, const=10, metavar="TIME", help="again and again (default: every 10 s)"
    )
    with_json(add("plan", "show what the next cycle would do and why; changes nothing"))
    with_json(add("explain", "show all that is known of one node")).add_argument("node", type=node_name)
    replay = with_json(add("simulate", "replay a trace of jobs through the same decisions, on a pool that is all one's own"))
    replay.add_argument("trace", help="SWF, or job ads as JSON lines (condor_history -json:lines); .gz too")
    replay.add_argument("--nodes", type=count, default=200, help="nodes of the pool (default: 200)")
    replay.add_argument("--cores", type=count, default=8, help="cores of each node (default: 8)")
    replay.add_argument("--days", type=count, help="only the first so many days")
    replay.add_argument("--seed", type=int, default=1, help="of the foreign jobs' lengths (default: 1)")
    off = with_reason(add("off", "lend nothing, and take back what is lent"))
    off.add_argument("--node", type=node_name, action="append", help="this node alone; may be given again")
    off.add_argument("--evict", action="store_true", help="foreign jobs are ended instead of getting their time")
    on = add("on", "take an off back")
    on.add_argument("--node", type=node_name, action="append", help="that of this node; may be given again")
    with_reason(add("hold", "leave nodes alone, for maintenance")).add_argument("node", type=node_name, nargs="+")
    add("release", "take a hold back").add_argument("node", type=node_name, nargs="+")
    add("stand-by", "act no longer, where a site has several central managers; another one may take over then")
    taking = add("take-over", "act, where a site has several central managers and the others stand by; with their overrides")
    taking.add_argument(
        "--other-is-dead",
        action="store_true",
        help="those that say nothing do not run and will not: their hosts are switched off, or shepherd.service disabled there",
    )
    checking = add("check-config", "look at the configuration, at the files that it names, and at the pool")
    checking.add_argument("--offline", action="store_true", help="do not ask the pool")
    add("run", "be the daemon (what the systemd unit starts)")
    with_json(add("cycle", "run one cycle; not while a daemon runs"))
    return top


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Do what the command line says; the exit status. SystemExit for what argparse finds wrong."""
    given = parser().parse_args(arguments)
    out, err = out or sys.stdout, err or sys.stderr
    try:
        return int(getattr(Commands(given, out, err), given.command.replace("-", "_"))())
    except ConfigurationError as error:
        for problem in error.problems:
            err.write(f"shepherd: {printable(problem)}\n")
        return 2
    except CommandFailure as error:
        err.write(f"shepherd: {printable(str(error))}\n")
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
