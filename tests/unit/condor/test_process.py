"""Commands that fail, hang and are not there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CommandFailed, CondorError, NoAnswer
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.process import run


def test_what_it_says_comes_back() -> None:
    assert run(["sh", "-c", "echo $LC_ALL $WORD"], 60, {"WORD": "x"}) == "C x\n"


def test_a_failure_keeps_its_words() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", "echo out; echo 'in  two\nlines' >&2; exit 3"], 60)
    assert (caught.value.rc, caught.value.stdout) == (3, "out\n")
    assert str(caught.value) == "sh failed with rc 3 and said: in two lines"


def test_what_is_not_there() -> None:
    with pytest.raises(CondorError, match="cannot run /nowhere/tool: No such file"):
        run(["/nowhere/tool"], 60)


def test_a_hung_command_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"^sh had no answer within 2 s and was ended$"):
        run(["sh", "-c", f"trap '' TERM; sleep 600 & echo $$ $! >{pids}; wait"], 2)
    assert time.monotonic() - began < 60
    for pid in pids.read_text().split():
        end = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            if "zombie" in Path(f"/proc/{pid}/status").read_text(errors="replace"):
                break
            time.sleep(0.02)
        else:
            assert not Path(f"/proc/{pid}").exists()
    assert os.getpid()
