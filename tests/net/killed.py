# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program: the gateway's service killed at each of its steps, and loaded again each time.

Run in the gateway's network namespace, by tests/net/test_killed.py. A step is an external command that changes something, a file
written, renamed or removed, or a switch set. Of a batch of commands, half is done, as when the whole control group is killed.

    killed.py SCENARIO    prints, as JSON, how many steps there were and what is wrong
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [os.environ["SHEEPFOLD_LIB"], os.environ["SHEEPFOLD_PROGRAMS"]]

import flock_gateway
import flock_service

SETTINGS = Path(os.environ["SHEEPFOLD_GATEWAY"])
OTHER = SETTINGS.with_name("other.json")
#: What the kernel has, in one command; a table's volatile sets and handles are left out.
LOOK = """
ip -4 rule show | sort; ip -4 route show table 2512 2>/dev/null | sort; ip -4 neigh show nud permanent | sort
nft --stateless list ruleset | sort; cat /proc/sys/net/ipv4/conf/*/forwarding /proc/sys/net/ipv4/conf/*/src_valid_mark
ip -br link show up | cut -d' ' -f1
"""
#: Words of commands that only look: whoever is killed there has done as much as before the next step.
LOOKS = {"show", "list", "get", "--check"}
#: Ways that must not be open at any time: a marked packet of a container's to the LAN, one without the mark to the Internet,
#: and a WAN host's to the LAN.
WAYS = (
    "10.27.1.9 from 10.27.2.220 iif em1.2512 mark 389149",
    "203.0.113.80 from 10.27.2.220 iif em1.2512",
    "10.27.1.9 from 203.0.113.80 iif wan",
)


class Steps:
    """Counts the steps of this process, and kills it at one of them."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.count = 0
        self._run = subprocess.run
        subprocess.run = self.run  # type: ignore[assignment]
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take a file that is changed for a step."""
        written = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        mine = str(arguments[0]).startswith(("/run/sheepfold", "/proc/sys/net", str(SETTINGS.parent))) if arguments else False
        if mine and (written or event in ("os.rename", "os.remove")):
            self.step()

    def run(self, *arguments: Any, **more: Any) -> Any:
        """Run a command; at the last step only half of a batch."""
        if LOOKS & set(arguments[0]):
            return self._run(*arguments, **more)
        given = more.get("input")
        if given and self.count + 1 == self.last and "-batch" in arguments[0]:
            lines = given.splitlines(keepends=True)
            self._run(*arguments, **{**more, "input": "".join(lines[: len(lines) // 2])})
        self.step()
        return self._run(*arguments, **more)

    def step(self) -> None:
        """Take one step, or none any more."""
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def child(work: Callable[[], int]) -> int:
    """Do something in a process of its own and return its status; -9 when it was killed."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            with contextlib.redirect_stderr(io.StringIO()) as said:
                status = work()
            if status:
                sys.__stderr__.write(said.getvalue()[-2000:])
                sys.__stderr__.flush()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def command(name: str) -> int:
    """Run a command of the service's, as its unit does."""
    if name != "repair":
        return flock_service.main(flock_gateway.make, SETTINGS, [name])
    try:
        flock_gateway.make(SETTINGS).repair(thorough=True)
    except flock_service.Failure:
        return 1
    return 0


def shell(text: str) -> str:
    return subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False).stdout


def open_ways() -> list[str]:
    """Return the ways that are open and must not be."""
    return shell("".join(f"ip -4 route get {way} 2>/dev/null >/dev/null && echo '{way}'\n" for way in WAYS)).splitlines()


def swap() -> None:
    """Exchange the settings for the other ones: the next load is a change."""
    ours, theirs = SETTINGS.read_text(), OTHER.read_text()
    SETTINGS.write_text(theirs)
    OTHER.write_text(ours)


#: What goes before the command that is killed, and that command.
SCENARIOS: dict[str, tuple[Callable[[], object], str]] = {
    "load": (lambda: child(lambda: command("remove")), "load"),
    "change": (swap, "load"),
    "close": (lambda: None, "close"),
    "remove": (lambda: None, "remove"),
    "repair": (
        lambda: shell(
            "nft flush ruleset; ip rule del pref 2512; ip rule del pref 2514; ip route del blackhole 10.0.0.0/8 table 2512;"
            "ip neigh del 10.27.2.220 dev em1.2512; echo 0 > /proc/sys/net/ipv4/conf/wan/forwarding"
        ),
        "repair",
    ),
}


def run(scenario: str) -> tuple[int, list[str]]:
    """Kill at the first step, then at the second, and so on; return the steps and what is wrong."""
    before, name = SCENARIOS[scenario]
    wrong = []
    wanted: dict[str, str] = {}
    for settings in (0, 1):
        assert child(lambda: command("load")) == 0
        wanted[SETTINGS.read_text()] = shell(LOOK)
        if settings == 0:
            swap()
    for last in range(1, 1000):
        before()
        ended = child(lambda last=last: Steps(last) and command(name))  # type: ignore[misc]
        wrong += [f"killed at step {last}: open: {way}" for way in open_ways()]
        if child(lambda: command("load")) != 0:
            wrong.append(f"killed at step {last}: the next load fails")
        if shell(LOOK) != wanted[SETTINGS.read_text()]:
            wrong.append(f"killed at step {last}: the next load leaves something else")
        if ended != -9:
            return last - 1, wrong
    return 0, ["it never ended"]


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1])))
