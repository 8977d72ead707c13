"""HTCondor's command-line tools as programs: they answer with files, and note every command line.

Below a directory: ``bin/`` to put into PATH, ``<what>.json`` the ads of each kind, ``calls`` the command lines, ``hang`` names of
tools that never answer.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cli import main

COLLECTIONS = Path(main.__file__).parents[7]
TOOLS = ("status", "q", "drain", "config_val", "update_machine_ad", "vacate", "on", "off")
_PROGRAM = """#!{python} -SE
import fcntl, json, os, sys, time
here, name, words = {directory!r}, os.path.basename(sys.argv[0]), sys.argv[1:]
with open(here + "/calls", "a") as calls:
    fcntl.flock(calls, fcntl.LOCK_EX)
    calls.write(json.dumps([name, *words]) + "\\n")
    calls.flush()
if name in open(here + "/hang").read().split():
    time.sleep(600)
if name == "condor_config_val":
    sys.stderr.write("Not defined: " + words[0] + "\\n")
    sys.exit(1)
if name == "condor_status":
    kind = next((kind for kind in ("-slots", "-master", "-collector", "-schedd") if kind in words))
    text = open(here + "/" + kind[1:] + ".json").read()
    now = int(time.time())
    sys.stdout.write(text.replace('"NOW"', str(now)))
if name == "condor_q":
    sys.stdout.write(open(here + "/queue").read())
if name == "condor_drain" and "-cancel" not in words:
    slots = json.load(open(here + "/slots.json"))
    for slot in slots:
        if slot["Machine"] == words[-1]:
            slot.update(State="Drained", DrainReason=words[words.index("-reason") + 1])
    with open(here + "/slots.new", "w") as new:
        json.dump(slots, new)
    os.rename(here + "/slots.new", here + "/slots.json")
"""


class FakeTools:
    """The tools, and a pool of pairs that they show."""

    def __init__(self, directory: Path, *numbers: int) -> None:
        self.directory = directory
        (directory / "bin").mkdir(parents=True)
        program = directory / "bin" / "program"
        program.write_text(_PROGRAM.format(python=sys.executable, directory=str(directory)))
        program.chmod(0o755)
        for tool in TOOLS:
            (directory / "bin" / f"condor_{tool}").symlink_to("program")
        (directory / "calls").touch()
        (directory / "queue").touch()
        self.hang()
        slots = [self._slot(number, flocking) for number in numbers or (220, 221) for flocking in (False, True)]
        self.answer("slots", slots)
        self.answer("master", [])
        self.answer("collector", [{"StatsLastUpdateTime": "NOW", "StatsLifetime": 86400}])
        self.answer("schedd", [{"Name": "submit.test", "MyAddress": "<submit>", "LastHeardFrom": "NOW", "TotalIdleJobs": 0}])

    def _slot(self, number: int, flocking: bool) -> dict[str, Any]:
        machine = f"{'f' if flocking else 'p'}{number}.test"
        return {
            "Name": f"slot1@{machine}",
            "Machine": machine,
            "MyAddress": f"<{machine}>",
            "MyCurrentTime": "NOW",
            "LastHeardFrom": "NOW",
            "State": "Unclaimed",
            "Activity": "Idle",
            "PartitionableSlot": True,
            "NumDynamicSlots": 0,
            "Cpus": 4,
            "TotalSlotCpus": 4,
            "FlockNode": flocking,
            **(
                {"FlockHost": f"p{number}"}
                if flocking
                else {"FlockVerifyResult": "pass", "FlockVerifyTime": int(time.time()) - 140, "FlockVerifyRulesHash": "aa"}
            ),
        }

    def answer(self, what: str, ads: list[dict[str, Any]]) -> None:
        (self.directory / f"{what}.json").write_text(json.dumps(ads))

    def hang(self, *tools: str) -> None:
        (self.directory / "hang").write_text(" ".join(tools))

    def calls(self, tool: str = "") -> list[list[str]]:
        found = [json.loads(line) for line in (self.directory / "calls").read_text().splitlines()]
        return [call for call in found if not tool or call[0] == tool]

    def configure(self, **values: Any) -> Path:
        """Write a configuration whose cycles are short, and have all of their time on a busy machine; its path."""
        state = self.directory / "state"
        state.mkdir(exist_ok=True)
        settings = {"cycle": 6, "lease": 60, "lag": 1, "dwell": 0, "low_cycles": 1, "reserve": 0.5, "collector_age": 0}
        settings.update(values.pop("settings", {}))
        values.setdefault("deadline", 6)
        pool = {"timeout": 5, "settle": 0, "command_tokens": "", **values.pop("pool", {})}
        path = self.directory / "shepherd.json"
        path.write_text(json.dumps({"settings": settings, "pool": pool, "state_directory": str(state), **values}))
        return path

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(COLLECTIONS),
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.directory),
        }

    def start(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        """Start the command; its log goes to a file of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", main.__name__, "--config", str(self.directory / "shepherd.json"), *words],
            env={**self.env, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run the command to its end: exit status, output, errors."""
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


def until(question: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """Ask until the answer is true; the answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def as_words(call: list[str]) -> str:
    return shlex.join(call)
