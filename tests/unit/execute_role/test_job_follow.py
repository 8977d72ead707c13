"""What follows a switch that stood by: signals go there, and its end is the job's."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from role_evaluator import ROOT

Evaluate = Callable[..., Any]
_CAUGHT = [number for number in range(1, 32) if number not in (7, 8, 9, 11, 17, 19, 28)]


class Follower:
    """A follower, and the two pipes between it and its switch."""

    def __init__(self, shell: str, script: Path, directory: Path, ignored: str = "") -> None:
        self._reader, signals = os.pipe()
        answers, self._writer = os.pipe()
        words = f"exec 4>&{signals} 6<&{answers}; exec env -i {ignored} {shell} {script} /bin/job"
        self.process = subprocess.Popen(
            ["bash", "-c", words], pass_fds=(signals, answers), stderr=subprocess.PIPE, text=True, cwd=directory
        )
        os.close(signals)
        os.close(answers)
        # It is at work when it catches them all.
        end = time.monotonic() + 60
        while not self._catches():
            assert self.process.poll() is None, self.end()
            assert time.monotonic() < end, f"it does not catch every signal:\n{self._status()}"
            time.sleep(0.01)

    def _status(self) -> str:
        return Path(f"/proc/{self.process.pid}/status").read_text()

    def _catches(self) -> bool:
        caught = int(self._status().partition("SigCgt:")[2].split()[0], 16)
        return all(caught >> (number - 1) & 1 for number in _CAUGHT)

    def tell(self, *messages: str) -> None:
        for message in messages:
            os.write(self._writer, f"{message}\n".encode())

    def leave(self) -> None:
        os.close(self._writer)

    def heard(self) -> str:
        assert select.select([self._reader], [], [], 60)[0], "it says nothing"
        return os.read(self._reader, 100).decode()

    def end(self) -> tuple[int, str]:
        said = self.process.communicate(timeout=60)[1]
        return self.process.returncode, said


@pytest.fixture
def script(template: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The follower's program, and the engine that it calls."""
    package = tmp_path / "lib"
    package.mkdir()
    (package / "sheepfold_switch").symlink_to(ROOT / "plugins/module_utils/execute")
    (package / "switch").write_text(template("switch.j2", execute_node__lib=str(package)))
    script = tmp_path / "job-follow"
    values = {"execute_node__lib": str(package), "execute_node__python": "/usr/bin/python3", "execute_node_busybox": ""}
    script.write_text(template("job-follow.j2", **values))
    # This process is its starter.
    (tmp_path / "sandbox").mkdir()
    monkeypatch.chdir(tmp_path / "sandbox")
    return script


# Debian's, and EL's.
SHELLS = ["/bin/dash", "/bin/bash --posix"]


@pytest.fixture(params=SHELLS)
def follower(request: pytest.FixtureRequest, script: Path, tmp_path: Path) -> Follower:
    return Follower(request.param, script, tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("ignored", ["HUP", "INT,QUIT", "HUP,INT,QUIT,TERM,USR1,CHLD,PIPE"])
def test_what_the_parent_ignored_is_handed_on_all_the_same(shell: str, ignored: str, script: Path, tmp_path: Path) -> None:
    follower = Follower(shell, script, tmp_path, f"env --ignore-signal={ignored}")
    for name in ignored.split(","):
        if name != "CHLD":
            follower.process.send_signal(signal.Signals[f"SIG{name}"])
            assert follower.heard() == f"signal {int(signal.Signals[f'SIG{name}'])}\n"
    follower.tell("started", f"ended {int(signal.SIGINT)} 0 0 0")
    assert follower.end() == (-signal.SIGINT, "")


@pytest.mark.parametrize("code", [0, 1, 37, 201, 255])
def test_it_ends_with_the_jobs_exit_code(follower: Follower, code: int) -> None:
    follower.tell("started", f"ended {code << 8} 0.1 0.2 3000")
    assert follower.end() == (code, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGUSR1])
def test_it_ends_by_the_jobs_signal(follower: Follower, number: int) -> None:
    follower.tell("started", f"ended {number | 0x80} 0.1 0.2 3000")
    assert follower.end() == (-number, "")


@pytest.mark.parametrize("number", _CAUGHT)
def test_each_signal_is_handed_on(follower: Follower, number: int) -> None:
    follower.process.send_signal(number)
    assert follower.heard() == f"signal {number}\n"
    follower.tell("ended 768 0 0 0")
    assert follower.end() == (3, "")


def test_many_signals_and_an_end_at_once(follower: Follower) -> None:
    sender = threading.Thread(target=lambda: [follower.process.send_signal(signal.SIGUSR2) for _ in range(50)])
    sender.start()
    follower.tell("started")
    sender.join()
    follower.tell("ended 1792 0 0 0")
    assert follower.end() == (7, "")


def test_what_keeps_a_job_from_running_is_told_to_starter_and_owner(follower: Follower) -> None:
    follower.tell("error 203 The site's rules refuse it: a * b")
    assert follower.end() == (203, "sheepfold-switch: The site's rules refuse it: a * b\n")
    assert Path(".job_wrapper_failure").read_text() == "The site's rules refuse it: a * b\n"


def test_a_quiet_refusal_says_nothing(follower: Follower) -> None:
    follower.tell("refused 203")
    assert follower.end() == (203, "")
    assert not Path(".job_wrapper_failure").exists()


def test_a_keeper_that_is_gone_is_no_end_of_a_job(follower: Follower) -> None:
    follower.tell("started")
    follower.leave()
    code, said = follower.end()
    assert code == 202
    assert "The keeper of the job is gone" in said
    assert "The keeper of the job is gone" in Path(".job_wrapper_failure").read_text()
