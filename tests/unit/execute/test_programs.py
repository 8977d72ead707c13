"""The site's own programs: their time is bounded, and so is that of all that they start."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.linux import bounded_process, procfs

_STRAYS = """#!/bin/sh
trap '' TERM
setsid sh -c 'echo $$ >one; sleep 300 & echo $! >two; wait' &
(setsid sleep 300 >/dev/null 2>&1 & echo $! >three)
while [ ! -s two ]; do sleep 0.01; done
sleep 300
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> str:
        path = tmp_path / "program"
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    return write


def _runs(pid: int) -> bool:
    try:
        return procfs.state(pid) != "Z"
    except OSError:
        return False


def test_what_it_says_and_how_it_ends(program: Callable[[str], str]) -> None:
    answer = bounded_process.run(program('#!/bin/sh\necho "$FACT $1"\nexit 3\n'), {"FACT": "known"}, 10, ["word"])
    assert (answer.code, answer.output) == (3, "known word")


def test_after_its_time_nothing_of_it_runs(program: Callable[[str], str], tmp_path: Path) -> None:
    other = os.posix_spawn("/bin/sleep", ["sleep", "300"], {})
    try:
        begin = time.monotonic()
        answer = bounded_process.run(program(_STRAYS), {}, 1)
        assert answer.code is None
        # Its own time was a second; without a bound it takes 300.
        assert time.monotonic() - begin < 60
        strays = [int((tmp_path / name).read_text()) for name in ("one", "two", "three")]
        assert not [pid for pid in strays if _runs(pid)]
        # What this process had before is left alone.
        assert _runs(other)
    finally:
        os.kill(other, 9)
        os.waitpid(other, 0)


def test_in_time_what_it_leaves_is_the_sites_own(program: Callable[[str], str], tmp_path: Path) -> None:
    answer = bounded_process.run(program("#!/bin/sh\nsetsid sleep 300 >/dev/null 2>&1 &\necho $! >left\n"), {}, 10)
    left = int((tmp_path / "left").read_text())
    try:
        assert answer.code == 0
        assert _runs(left)
    finally:
        os.kill(left, 9)
