# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the flock's network services on a host have in common.

A service (the gateway's firewall, a node's port filter) is a list of layers. A layer can be applied and can say what
the kernel has of it now. What it said right after it was applied is kept; when the kernel says something else later,
another hand was there, and the guard applies the layer again or, if that fails, takes the VLAN's link down.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

RUN_DIRECTORY = Path("/run/sheepfold")
MISSING = "missing"

_NETLINK_ROUTE = 0
_NETLINK_NETFILTER = 12
_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
# Groups of <linux/rtnetlink.h> and <linux/netfilter/nfnetlink.h>.
# Links, tc, IPv4 addresses, IPv4 policy rules, IPv4 switches such as forwarding.
_ROUTE_GROUPS = (1, 4, 5, 8, 24)
_GROUP_NFTABLES = 7
_LINK_KINDS = (16, 17)
_TC_KINDS = range(36, 47)
_IFF_UP = 1


class Failure(Exception):
    """A step that did not work, as one sentence."""


def run(*argv: str, given: str | None = None, timeout: float = 30) -> str:
    """Run a command and return its output.

    Raises:
        Failure: it ended with an error, is missing, or took longer than `timeout` seconds.
    """
    try:
        done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"{' '.join(argv)}: {error}") from error
    if done.returncode != 0:
        raise Failure(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip() or done.returncode}")
    return done.stdout


def say(text: str) -> None:
    """Write a line to the journal."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def link_exists(name: str) -> bool:
    """Return whether there is a network interface of this name."""
    return Path("/sys/class/net", name).exists()


def link_is_up(name: str) -> bool:
    """Return whether the interface is there and administratively up."""
    try:
        return bool(int(Path("/sys/class/net", name, "flags").read_text(), 16) & _IFF_UP)
    except OSError:
        return False


def set_link(name: str, up: bool) -> None:
    """Take the link up or down; one that is not there is down."""
    if link_exists(name) and link_is_up(name) != up:
        run("ip", "link", "set", "dev", name, "up" if up else "down")


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step, so that a reader or a power cut never meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes: the guard must not look while a load is half done."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Layer(Protocol):
    """One part of a service in the kernel."""

    name: str

    def apply(self) -> None:
        """Make the kernel have it. Applied twice it changes nothing, and on the way it is never more open."""

    def state(self, thorough: bool) -> str:
        """Return what the kernel has of it; counters and other things that change by themselves left out."""

    def remove(self) -> None:
        """Take it out of the kernel."""


class Table:
    """An nftables table, loaded from a file that replaces it in one transaction.

    A file that the kernel refuses is put aside, and the last one that it took comes back in its place.
    """

    name = "nftables table"

    def __init__(self, family: str, table: str, file: Path, volatile: Sequence[str] = ()) -> None:
        self.volatile = volatile
        self.family = family
        self.table = table
        self.file = file
        self.accepted = file.with_name(f"{file.name}.accepted")
        self.rejected = file.with_name(f"{file.name}.rejected")

    def apply(self) -> None:
        """Load the file."""
        run("nft", "--file", str(self.file))

    def is_kept(self) -> bool:
        """Return whether the file is the one that worked last."""
        return self.accepted.exists() and self.accepted.read_bytes() == self.file.read_bytes()

    def keep(self) -> None:
        """Remember the file as one that works."""
        if not self.is_kept():
            write_atomically(self.accepted, self.file.read_text(encoding="utf-8"))

    def roll_back(self) -> bool:
        """Put the last file that worked back in place; return whether there was another one."""
        if not self.accepted.exists() or self.is_kept():
            return False
        shutil.copy2(self.file, self.rejected)
        write_atomically(self.file, self.accepted.read_text(encoding="utf-8"), 0o644)
        return True

    def state(self, thorough: bool) -> str:
        """Return the rules, and when thorough also the content of all sets but the volatile ones, which packets fill."""
        try:
            if not thorough:
                return run("nft", "--stateless", "--terse", "list", "table", self.family, self.table)
            listing = json.loads(run("nft", "--stateless", "--json", "list", "table", self.family, self.table))
        except Failure:
            return MISSING
        for item in listing["nftables"]:
            item.pop("metainfo", None)
            for part in item.values():
                part.pop("handle", None)
            if item.get("set", {}).get("name") in self.volatile:
                item["set"].pop("elem", None)
        return hashlib.sha256(json.dumps(listing, sort_keys=True).encode()).hexdigest()

    def remove(self) -> None:
        """Delete the table."""
        run("nft", "--file", "-", given=f"table {self.family} {self.table}\ndelete table {self.family} {self.table}\n")


class TrafficFilter:
    """Filters of tc at an interface: they stay when another hand flushes nftables, and close the gap until the rules are back.

    Each filter is the text after ``tc filter replace dev NAME``. They hang on the interface: without it there is nothing to do.
    """

    name = "tc filters"

    def __init__(self, interface: str) -> None:
        self.interface = interface

    def filters(self) -> Sequence[str]:
        """Return the filters wanted now."""
        raise NotImplementedError

    def apply(self) -> None:
        """Set the filters, the ones that let something through first, then take away those of an earlier set."""
        if not link_exists(self.interface):
            return
        wanted = list(self.filters())
        run("tc", "qdisc", "replace", "dev", self.interface, "clsact")
        batch = "".join(f"filter replace dev {self.interface} {text}\n" for text in wanted)
        run("tc", "-batch", "-", given=batch)
        kept = {self._key(text) for text in wanted}
        for hook in ("ingress", "egress"):
            for item in json.loads(run("tc", "-json", "filter", "show", "dev", self.interface, hook) or "[]"):
                handle = item.get("options", {}).get("handle")
                chain = int(item.get("chain", 0))
                if handle and (hook, chain, item["pref"], int(handle)) not in kept:
                    where = ("dev", self.interface, hook, "chain", str(chain), "pref", str(item["pref"]), "handle", str(handle))
                    run("tc", "filter", "del", *where, "protocol", item["protocol"], item["kind"])

    @staticmethod
    def _key(text: str) -> tuple[str, int, int, int]:
        """Return a filter's hook, chain, preference and handle."""
        words = text.split()
        chain = int(words[2]) if words[1] == "chain" else 0
        return words[0], chain, int(words[words.index("pref") + 1]), int(words[words.index("handle") + 1])

    def state(self, thorough: bool) -> str:
        """Return the filters there are, and those that are wanted now."""
        if not link_exists(self.interface):
            return "no interface"
        shown = [run("tc", "filter", "show", "dev", self.interface, hook) for hook in ("ingress", "egress")]
        return "\n".join([*shown, *self.filters()])

    def remove(self) -> None:
        """Take the filters off the interface."""
        if link_exists(self.interface) and "clsact" in run("tc", "qdisc", "show", "dev", self.interface):
            run("tc", "qdisc", "del", "dev", self.interface, "clsact")


class Service:
    """Layers of one host's part in the flock's network, and the VLAN's link that is up only while they are in."""

    def __init__(self, name: str, interface: str, table: Table, layers: Sequence[Layer]) -> None:
        self.name = name
        self.interface = interface
        self.table = table
        self.layers = layers
        self.watched: Sequence[str] = (table.table,)
        self.lock = RUN_DIRECTORY / f"{name}.lock"
        self.expected_file = RUN_DIRECTORY / f"{name}.json"
        self.closed_file = RUN_DIRECTORY / f"{name}.closed"

    def health(self) -> None:
        """Check that what was loaded does what it should.

        Raises:
            Failure: it does not.
        """

    def load(self) -> None:
        """Put every layer in, check, and open the link. What does not work is rolled back; if nothing works, close.

        Raises:
            Failure: the new rules were not taken. The sentence says whether the previous ones are in force.
        """
        with locked(self.lock):
            try:
                self._put_in()
            except Failure as problem:
                if not self.table.roll_back():
                    self.close()
                    raise Failure(f"{problem}. There are no earlier rules to go back to: the VLAN is closed.") from problem
                try:
                    self._put_in()
                except Failure as second:
                    self.close()
                    raise Failure(f"{problem}. The previous rules failed too ({second}): the VLAN is closed.") from second
                self.open()
                raise Failure(
                    f"{problem}. The previous rules are back in force; the refused ones are in {self.table.rejected}."
                ) from problem
            self.table.keep()
            self.open()

    def _put_in(self) -> None:
        run("nft", "--check", "--file", str(self.table.file))
        for layer in self.layers:
            layer.apply()
        self.health()
        self._remember(self.layers)

    def _remember(self, layers: Iterable[Layer]) -> None:
        now = {layer.name: [layer.state(False), layer.state(True)] for layer in layers}
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

    def repair(self, thorough: bool) -> list[str]:
        """Apply damaged layers again and return their names. What cannot be repaired closes the VLAN.

        Raises:
            Failure: a layer cannot be applied; the link is down.
        """
        with locked(self.lock):
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
            # What the table is from this file is known. It is not asked for again: another hand may have been there meanwhile.
            self._remember(layer for layer in repaired if layer is not self.table or not self.table.is_kept())
            if self.closed_file.exists():
                self.open()
            return [layer.name for layer in repaired]

    def open(self) -> None:
        """Take the link up."""
        self.closed_file.unlink(missing_ok=True)
        set_link(self.interface, True)

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

    def guard(self, poll: float) -> None:
        """Watch for ever: at once when the kernel reports a change, and every `poll` seconds whatever it reports."""
        events = Events(self.watched, self.interface)
        thorough = True
        while True:
            try:
                repaired = self.repair(thorough)
                if repaired:
                    say(f"{self.name}: another hand changed {', '.join(repaired)}; restored.")
                thorough = events.wait(poll)
            except Failure as problem:
                say(f"{self.name}: {problem}. The link {self.interface} is down until this works.")
                time.sleep(1)
                thorough = True


class Events:
    """The kernel's notices that may concern a service. Whoever waits sleeps until one comes: looking costs much more."""

    def __init__(self, tables: Iterable[str], interface: str) -> None:
        self.tables = [table.encode() + b"\0" for table in tables]
        self.interface = interface
        self.nftables = self._listen(_NETLINK_NETFILTER, [_GROUP_NFTABLES])
        self.routing = self._listen(_NETLINK_ROUTE, _ROUTE_GROUPS)

    @staticmethod
    def _listen(protocol: int, groups: Sequence[int]) -> socket.socket:
        listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        listener.bind((0, 0))
        for group in groups:
            listener.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        listener.setblocking(False)
        return listener

    def wait(self, seconds: float) -> bool:
        """Wait for a notice that concerns the service, at most so many seconds; return whether it named a table."""
        until = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self.nftables, self.routing], [], [], max(0.0, until - time.monotonic()))
            named = self.nftables in ready and self._drain(self.nftables, self._names_a_table)
            concerned = self.routing in ready and self._drain(self.routing, self._concerns)
            if concerned and not named:
                # tc reports before it removes.
                time.sleep(0.2)
            if named or concerned or not ready:
                return named

    def _names_a_table(self, notice: bytes) -> bool:
        return any(table in notice for table in self.tables)

    def _concerns(self, notice: bytes) -> bool:
        kind = int.from_bytes(notice[4:6], sys.byteorder)
        if kind in _LINK_KINDS:
            return self.interface.encode() + b"\0" in notice
        if kind in _TC_KINDS:
            index = int.from_bytes(notice[20:24], sys.byteorder)
            return link_exists(self.interface) and index == socket.if_nametoindex(self.interface)
        return True

    @staticmethod
    def _drain(listener: socket.socket, concerns: Callable[[bytes], bool]) -> bool:
        found = False
        while True:
            try:
                found = concerns(listener.recv(1 << 20)) or found
            except BlockingIOError:
                return found
            except OSError:
                # Notices were lost (ENOBUFS): one of them may have concerned us.
                found = True


def main(service: Service, argv: Sequence[str]) -> int:
    """Run one command of a service and return the exit status."""
    commands: dict[str, Any] = {
        "load": service.load,
        "close": service.close,
        "remove": service.remove,
    }
    parser = argparse.ArgumentParser(prog=service.name)
    parser.add_argument("command", choices=[*commands, "check", "guard"])
    parser.add_argument("--poll", type=float, default=30.0, help="seconds between two looks of the guard")
    options = parser.parse_args(argv)
    try:
        if options.command == "guard":
            service.guard(options.poll)
        elif options.command == "check":
            with locked(service.lock):
                damaged = service.damaged(thorough=True)
            if damaged or service.closed_file.exists():
                wrong = [f"{layer.name} is not as it was loaded" for layer in damaged] or ["the link was closed"]
                raise Failure(", ".join(wrong))
            service.health()
        else:
            commands[options.command]()
    except Failure as problem:
        say(f"{service.name}: {problem}")
        return 1
    return 0
