# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the flock's network programs on a host have in common: commands, links, files, and the layers of a service."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

RUN_DIRECTORY = Path("/run/sheepfold")
MISSING = "missing"

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


def run_whole(*argv: str, timeout: float) -> None:
    """Run a command of the site's, and end it with all that it has started.

    Raises:
        Failure: it ended with an error, is missing, or took longer than `timeout` seconds.
    """
    words = " ".join(argv)
    try:
        # A group of its own: what a shell has started keeps the pipes open when the shell alone is killed.
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
    except OSError as error:
        raise Failure(f"{words}: {error}") from error
    with child:
        try:
            output, errors = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise Failure(f"{words}: {error}") from error
    if child.returncode != 0:
        raise Failure(f"{words}: {errors.strip() or output.strip() or child.returncode}")


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
    #: What it says follows from the settings alone: after a repair that is what it was after the load.
    fixed: bool

    def apply(self) -> None:
        """Make the kernel have it, whatever a load that was killed has left. On the way it is never more open."""

    def state(self, thorough: bool) -> str:
        """Return what the kernel has of it; counters and other things that change by themselves left out."""

    def remove(self) -> None:
        """Take it out of the kernel."""


class Table:
    """An nftables table, loaded from a file that replaces it in one transaction."""

    name = "nftables table"
    fixed = False

    def __init__(self, family: str, table: str, file: Path) -> None:
        self.family = family
        self.table = table
        self.file = file

    def apply(self) -> None:
        """Load the file."""
        run("nft", "--file", str(self.file))

    def state(self, thorough: bool) -> str:
        """Return the rules, and when thorough also the content of all sets but those that the rules fill."""
        try:
            if not thorough:
                return run("nft", "--stateless", "--terse", "list", "table", self.family, self.table)
            listing = json.loads(run("nft", "--stateless", "--json", "list", "table", self.family, self.table))
        except Failure:
            return MISSING
        # nft 1.0 does not list a set's flag "dynamic" in JSON.
        statements = [part for item in listing["nftables"] for part in item.get("rule", {}).get("expr", [])]
        filled = {part["set"]["set"].lstrip("@") for part in statements if "set" in part}
        for item in listing["nftables"]:
            item.pop("metainfo", None)
            for part in item.values():
                part.pop("handle", None)
            if item.get("set", {}).get("name") in filled:
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
    fixed = False

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
