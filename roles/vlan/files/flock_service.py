# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A network service of the flock's on a host: the gateway's firewall, a node's port filter.

It is a list of layers. A layer can be applied and can say what the kernel has of it now. What it said right after it was
applied is kept; when the kernel says something else later, another hand was there, and the guard applies the layer again or,
if that fails, takes the VLAN's link down.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import flock_notify
from flock_events import Events, Watched
from flock_files import Files, accepted
from flock_net import (
    MISSING,
    RUN_DIRECTORY,
    Failure,
    Layer,
    Table,
    link_exists,
    link_is_up,
    locked,
    run,
    say,
    set_link,
    write_atomically,
)

#: Seconds for the check of new rules: on a slow machine that has other things to do it took more than half a minute.
CHECK_S = 300
#: Seconds until the guard tries again what has failed, and how many they become.
_RETRY_S, _LONGEST_RETRY_S = 1.0, 8.0


def read_settings(path: Path) -> dict[str, Any]:
    """Return a service's settings.

    Raises:
        Failure: the file is missing, or holds no JSON object.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"{path} cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise Failure(f"{path} holds {type(settings).__name__}: expected the settings as a JSON object")
    return settings


def in_force(path: Path, settings: dict[str, Any], *files: str) -> dict[str, Any]:
    """Return settings whose files are the ones that worked last where the settings themselves are."""
    if path != accepted(path):
        return settings
    return {**settings, **{key: str(accepted(Path(settings[key]))) for key in files if settings[key]}}


class Service:
    """Layers of one host's part in the flock's network, and the VLAN's link that is up only while they are in."""

    def __init__(self, name: str, interface: str, table: Table, layers: Sequence[Layer], files: Iterable[Path] = ()) -> None:
        self.name = name
        self.interface = interface
        self.table = table
        self.layers = layers
        self.files = Files([table.file, *files])
        self.watched = Watched(interface, [table.table])
        self.lock = RUN_DIRECTORY / f"{name}.lock"
        self.expected_file = RUN_DIRECTORY / f"{name}.json"
        self.closed_file = RUN_DIRECTORY / f"{name}.closed"

    def anew(self) -> Service:
        """Return the service as its files describe it now."""
        return self

    def health(self) -> None:
        """Check that what was loaded does what it should.

        Raises:
            Failure: it does not.
        """

    def look(self) -> None:
        """Check what shows only while the link is up.

        Raises:
            Failure: it must not be.
        """

    def remarks(self) -> list[str]:
        """Return what another hand does beside the service: not for the service to change, and yet to be known."""
        return []

    def load(self) -> None:
        """Put every layer in, check, and open the link. What does not work is rolled back; if nothing works, close.

        Raises:
            Failure: the new rules were not taken. The sentence says whether the previous ones are in force.
        """
        with locked(self.lock):
            try:
                self._put_in()
                self._open()
            except Failure as problem:
                self._go_back(problem)
            self.files.keep()

    def _go_back(self, problem: Failure) -> None:
        refused = self.files.roll_back()
        if not refused:
            self.close()
            raise Failure(f"{problem}. There are no earlier rules to go back to: the VLAN is closed.") from problem
        try:
            earlier = self.anew()
            earlier._put_in()
            earlier._open()
        except Failure as second:
            self.close()
            raise Failure(f"{problem}. The previous rules failed too ({second}): the VLAN is closed.") from second
        names = ", ".join(map(str, refused))
        raise Failure(f"{problem}. The previous rules are back in force; the refused ones are in {names}.") from problem

    def _put_in(self) -> None:
        # The first check after a boot has the kernel load its modules. Meanwhile what was there stays in force.
        run("nft", "--check", "--file", str(self.table.file), timeout=CHECK_S)
        for layer in self.layers:
            layer.apply()
        self.health()
        self._remember(self.layers)

    def _remember(self, layers: Iterable[Layer]) -> None:
        now = {}
        for layer in layers:
            brief = layer.state(False)
            # Of a table alone there is more to know than what is quickly seen.
            now[layer.name] = [brief, layer.state(True) if isinstance(layer, Table) else brief]
        write_atomically(self.expected_file, json.dumps({**self.expected(), **now}))

    def expected(self) -> dict[str, list[str]]:
        """Return what each layer said after it was applied; nothing when the service was never loaded."""
        try:
            known: dict[str, list[str]] = json.loads(self.expected_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known

    def damaged(self, thorough: bool) -> list[Layer]:
        """Return the layers that are not as they were left."""
        expected = self.expected()
        return [item for item in self.layers if self._is_damaged(item, expected, thorough)]

    @staticmethod
    def _is_damaged(layer: Layer, expected: dict[str, list[str]], thorough: bool) -> bool:
        # A table that went while it was being looked at is none to expect.
        found = layer.state(thorough)
        return found == MISSING or expected.get(layer.name, ["", ""])[thorough] != found

    def repair(self, thorough: bool, is_current: Callable[[], bool] = lambda: True) -> list[str]:
        """Apply damaged layers again and return their names. What cannot be repaired closes the VLAN.

        Args:
            thorough: whether to look at the content of sets, too.
            is_current: whether this is what worked last. While the guard waited for a load, that may have put in other settings.

        Raises:
            Failure: a layer cannot be applied, or a closed link must not be opened; it is down.
        """
        with locked(self.lock):
            if not is_current():
                return []
            expected = self.expected()
            repaired: list[Layer] = []
            try:
                # The table first: it is what others flush, and looking at the rest takes time.
                for layer in sorted(self.layers, key=lambda item: item is not self.table):
                    if self._is_damaged(layer, expected, thorough):
                        layer.apply()
                        repaired.append(layer)
            except Failure:
                self.close()
                raise
            # What is known is not asked for again: another hand may have been there meanwhile.
            self._remember(layer for layer in repaired if not self._is_known(layer))
            if self.closed_file.exists():
                self._open_again()
            return [layer.name for layer in repaired]

    def _is_known(self, layer: Layer) -> bool:
        """Return whether a repaired layer says what it said after the load."""
        return self.files.is_kept(self.table.file) if layer is self.table else layer.fixed

    def _open(self) -> None:
        """Take the link up, after everything else has been checked."""
        if link_exists(self.interface) and not link_is_up(self.interface):
            set_link(self.interface, True)
            try:
                self.look()
            except Failure:
                self.close()
                raise
        self.closed_file.unlink(missing_ok=True)

    def _open_again(self) -> None:
        """Take the link up if all is well, as a load would: it may have been a load that closed it."""
        try:
            self.health()
            self._open()
        except Failure:
            self.close()
            raise

    def close(self) -> None:
        """Take the link down: without it nothing comes from or goes to the VLAN."""
        write_atomically(self.closed_file, "")
        set_link(self.interface, False)

    def remove(self) -> None:
        """Close, and take every layer out of the kernel."""
        with locked(self.lock):
            set_link(self.interface, False)
            for layer in reversed(self.layers):
                layer.remove()
            self.expected_file.unlink(missing_ok=True)
            self.closed_file.unlink(missing_ok=True)


def guard(make: Callable[[], Service], settings: Path, poll: float) -> None:
    """Watch for ever: at once when the kernel reports a change, and every `poll` seconds whatever it reports.

    What is held is what worked last: what has been written since is for a load to try.
    """

    def is_current() -> bool:
        return stamp == _stamp(settings)

    service, events, stamp = make(), None, None
    thorough, said = True, flock_notify.READY
    failure, delay = "", _RETRY_S
    remarks: list[str] = []
    while True:
        try:
            if events is None or not is_current():
                stamp = _stamp(settings)
                service = make()
                events = Events(service.watched)
            repaired = service.repair(thorough, is_current)
            if not is_current():
                continue
            if repaired:
                say(f"{service.name}: another hand changed {', '.join(repaired)}; restored.")
            if failure:
                say(f"{service.name}: it works again.")
            failure, delay = "", _RETRY_S
            remarks = _remark(service, remarks)
            flock_notify.tell(said)
            thorough = events.wait(flock_notify.pause(poll))
        except Failure as problem:
            if str(problem) != failure:
                say(f"{service.name}: {problem}. The link {service.interface} is down until this works.")
            flock_notify.tell(said)
            time.sleep(delay)
            failure, delay = str(problem), min(2 * delay, _LONGEST_RETRY_S)
            thorough = True
        said = flock_notify.ALIVE


def _stamp(file: Path) -> tuple[int, int]:
    """Return what changes when a file is replaced."""
    found = file.stat()
    return found.st_ino, found.st_mtime_ns


def _remark(service: Service, before: Sequence[str]) -> list[str]:
    """Say what is new since the last look, and what is no more; return what there is."""
    now = service.remarks()
    for text in now:
        if text not in before:
            say(f"{service.name}: {text}.")
    for text in before:
        if text not in now:
            say(f"{service.name}: no more: {text}.")
    return now


def _made(make: Callable[[Path], Service], settings: Path) -> Service:
    try:
        return make(settings)
    except (KeyError, TypeError) as error:
        raise Failure(f"{settings} is not what this program expects: {error!r}") from error


def main(make: Callable[[Path], Service], settings: Path, argv: Sequence[str]) -> int:
    """Run one command of a service and return the exit status.

    Args:
        make: returns the service that settings describe.
        settings: their file.
        argv: the command line.
    """
    parser = argparse.ArgumentParser(prog=settings.stem)
    parser.add_argument("command", choices=["load", "close", "remove", "check", "guard"])
    parser.add_argument("--poll", type=float, default=30.0, help="seconds between two looks of the guard")
    options = parser.parse_args(argv)
    try:
        kept = accepted(settings) if accepted(settings).exists() else settings
        if options.command == "guard":
            guard(lambda: _made(make, kept), kept, options.poll)
        try:
            service = _made(make, settings)
        except Failure as problem:
            # What is in the kernel came from what worked last: it can be loaded, closed and taken out by that.
            if kept == settings or options.command == "check":
                raise
            say(f"{settings.stem}: {problem}. What worked last is taken in its place.")
            Files([settings]).roll_back()
            service = _made(make, settings)
        if options.command == "check":
            _check(service)
        elif options.command == "load":
            service.load()
        elif options.command == "remove":
            service.remove()
        else:
            with locked(service.lock):
                service.close()
    except (Failure, OSError) as problem:
        say(f"{settings.stem}: {problem}")
        return 1
    return 0


def _check(service: Service) -> None:
    _remark(service, [])
    with locked(service.lock):
        damaged = service.damaged(thorough=True)
    if damaged or service.closed_file.exists():
        wrong = [f"{layer.name} is not as it was loaded" for layer in damaged] or ["the link was closed"]
        raise Failure(", ".join(wrong))
    service.health()
