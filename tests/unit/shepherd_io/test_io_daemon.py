"""The daemon as a process: its worker is killed, hangs and is replaced; systemd hears what it should; a second one waits."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cli import main
from fake_tools import FakeTools, until


class Systemd:
    """The socket that a Type=notify service tells things to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def lines(self) -> list[str]:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard += self._socket.recv(65536).decode().splitlines()
        return self.heard

    def count(self, line: str) -> int:
        return self.lines().count(line)

    def close(self) -> None:
        self._socket.close()


class Running:
    """A daemon that was started, and its log."""

    def __init__(self, tools: FakeTools, name: str) -> None:
        self.systemd = Systemd(tools.directory / f"{name}.socket")
        self._path = tools.directory / f"{name}.log"
        with self._path.open("w") as log:
            self.process = subprocess.Popen(
                [*_python(), "--config", str(tools.directory / "shepherd.json"), "run"],
                env={**tools.env, "NOTIFY_SOCKET": str(self.systemd.path)},
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._path.read_text()

    def cycles(self) -> int:
        return self.log.count("cycle policy=")

    def worker(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        # Shown where the test failed.
        print(f"{self._path.name}:", self.log, *self.systemd.lines(), sep="\n")
        self.systemd.close()


def _python() -> list[str]:
    return [sys.executable, "-m", main.__name__]


@pytest.fixture
def tools(tmp_path: Path) -> FakeTools:
    made = FakeTools(tmp_path)
    made.configure()
    return made


@pytest.fixture
def daemons(tools: FakeTools) -> Iterator[list[Running]]:
    made: list[Running] = []
    yield made
    for each in made:
        each.close()


def start(tools: FakeTools, daemons: list[Running]) -> Running:
    daemons.append(Running(tools, f"daemon{len(daemons)}"))
    return daemons[-1]


def gone(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def test_cycles_readiness_and_a_clean_end(tools: FakeTools, daemons: list[Running]) -> None:
    one = start(tools, daemons)
    until(lambda: one.cycles() >= 3, "three cycles")
    lines = one.systemd.lines()
    ready = lines.index("READY=1")
    # On a busy machine a first cycle may take too long, and systemd is told that; but neither of these.
    assert "WATCHDOG=1" not in lines[:ready]
    assert lines[ready + 1].startswith("STATUS=2 ") and lines[ready + 2] == "WATCHDOG=1"
    assert one.systemd.count("WATCHDOG=1") in (one.cycles(), one.cycles() - 1, one.cycles() + 1)
    worker = one.worker()
    assert one.end() == 0
    assert 'end reason="told to"' in one.log and one.systemd.lines()[-1] == "STOPPING=1" and gone(worker)


def test_a_worker_that_is_killed_is_replaced_and_takes_up(tools: FakeTools, daemons: list[Running]) -> None:
    one = start(tools, daemons)
    until(lambda: one.cycles() >= 1, "a cycle")
    worker = one.worker()
    os.kill(worker, signal.SIGKILL)
    cycles = one.cycles()
    until(lambda: one.cycles() > cycles + 1, "cycles of a new worker")
    assert one.worker() not in (0, worker) and one.process.poll() is None
    # It goes on with the decision that was under way: the drain is there, and no second one was sent to that node.
    until(lambda: tools.calls("condor_drain"), "a drain")
    drained = [call[-1] for call in tools.calls("condor_drain")]
    assert len(drained) == len(set(drained))


def test_a_cycle_that_takes_too_long_is_killed_with_its_tools(tools: FakeTools, daemons: list[Running]) -> None:
    tools.configure(pool={"timeout": 60})
    tools.hang("condor_status")
    one = start(tools, daemons)
    until(lambda: 'cycle error="the cycle was not done within 6 s, its worker was killed"' in one.log, "a deadline")
    # It had started condor_status in a session of its own.
    began = time.monotonic()
    until(lambda: not _running(tools), "the end of what it had started")
    assert time.monotonic() - began < 60
    assert one.systemd.count("WATCHDOG=1") == 0 and one.systemd.count("READY=1") == 0
    tools.hang()
    until(lambda: one.systemd.count("READY=1"), "a completed cycle")


def _running(tools: FakeTools) -> list[int]:
    """Processes of the tools of this test."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(tools.directory / "bin").encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def test_an_unreachable_pool_is_a_sentence_and_a_completed_cycle(tools: FakeTools, daemons: list[Running]) -> None:
    tools.configure(pool={"timeout": 0.3})
    tools.hang("condor_status")
    one = start(tools, daemons)
    until(lambda: one.systemd.count("READY=1"), "readiness")
    status = next(line for line in one.systemd.lines() if line.startswith("STATUS="))
    assert status == "STATUS=the pool cannot be seen: condor_status had no answer within 0.3 s and was ended"
    tools.hang()
    until(lambda: one.cycles() >= 1, "a cycle that sees the pool")


def test_a_second_shepherd_waits_and_takes_over(tools: FakeTools, daemons: list[Running]) -> None:
    one = start(tools, daemons)
    until(lambda: one.cycles() >= 1, "a cycle")
    two = start(tools, daemons)
    said = f"STATUS=standby: process {one.process.pid} holds {tools.directory}/state/lock"
    until(lambda: said in two.systemd.lines(), "the second one's word")
    assert f"standby lock={tools.directory}/state/lock holder={one.process.pid}" in two.log
    assert two.systemd.count("READY=1") and two.cycles() == 0
    worker = one.worker()
    one.process.kill()
    one.process.wait()
    # Nothing of the first one goes on beside the second.
    until(lambda: gone(worker), "the end of the first one's worker")
    until(lambda: two.cycles() >= 1, "the second one's cycle")
    assert two.end() == 0


def test_waiting_for_the_lock_ends_when_told(tools: FakeTools, daemons: list[Running]) -> None:
    one = start(tools, daemons)
    until(lambda: one.cycles() >= 1, "a cycle")
    two = start(tools, daemons)
    until(lambda: two.systemd.count("READY=1"), "standby")
    assert two.end() == 0


def test_an_override_is_in_effect_at_once(tools: FakeTools, daemons: list[Running]) -> None:
    tools.configure(settings={"cycle": 600, "lease": 1800})
    one = start(tools, daemons)
    until(lambda: one.cycles() == 1, "the first cycle")
    status, out, _err = tools.run("off", "--reason", "power work")
    assert status == 0 and out.endswith("the shepherd looks at it now\n")
    until(lambda: one.cycles() == 2, "a cycle at once")
    assert "power work" in one.log.splitlines()[-1]


def test_a_bad_configuration_is_left_aside_on_reload(tools: FakeTools, daemons: list[Running]) -> None:
    tools.configure(settings={"cycle": 600, "lease": 1800, "reserve": 0.5})
    one = start(tools, daemons)
    until(lambda: one.cycles() == 1, "the first cycle")
    tools.configure(settings={"cycle": 600, "lease": 1800, "reserve": 2})
    one.process.send_signal(signal.SIGHUP)
    until(lambda: one.cycles() == 2, "a cycle at once")
    assert 'configuration error="reserve is 2: expected a share from 0 to 1." kept="the last good one"' in one.log
    assert "reserve_cores=4" in one.log.splitlines()[-1]
    tools.configure(settings={"cycle": 600, "lease": 1800, "reserve": 1.0})
    one.process.send_signal(signal.SIGHUP)
    until(lambda: one.cycles() == 3, "a cycle at once")
    assert "reserve_cores=8" in one.log.splitlines()[-1]


def test_a_bad_configuration_at_the_start_ends_it(tools: FakeTools, daemons: list[Running]) -> None:
    tools.configure(settings={"policy": "greed"})
    one = start(tools, daemons)
    assert one.process.wait(20) == 2
    assert one.log == "configuration error=\"policy is 'greed': expected one of balance, threshold.\"\n"


def test_a_state_directory_that_is_not_there_ends_it(tools: FakeTools, daemons: list[Running]) -> None:
    tools.configure(state_directory=str(tools.directory / "nowhere"))
    one = start(tools, daemons)
    assert one.process.wait(20) == 1
    assert f"{tools.directory}/nowhere/lock cannot be used: No such file or directory" in one.log


def test_metrics_are_served(tools: FakeTools, daemons: list[Running]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tools.configure(metrics={"address": "127.0.0.1", "port": port})
    one = start(tools, daemons)
    until(lambda: one.cycles() >= 2, "two cycles")

    def text() -> str:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
        return ""

    found = until(lambda: text() if "shepherd_cycles_total{" in text() else "", "metrics")
    assert 'shepherd_cores{kind="all"} 8.0' in found and 'shepherd_cycles_total{result="seen"}' in found
