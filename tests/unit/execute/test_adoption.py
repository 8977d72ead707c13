"""A process takes the place of another: what exec(2) would have kept is as it was there."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.linux import procfs
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.supervisor import takeover

# As job-switch, whose words are the shell's own, the script and the job's.
_FIRST_STAGE = """
exec 7<in 8>out 9>err
umask 027
ulimit -S -n 200
echo 500 >/proc/self/oom_score_adj
cd place
echo ready >&8
read -r word </dev/fd/0
"""
_ENVIRONMENT = {"ONE": "a b\nc=d", "EMPTY": "", "ODD NAME": "x"}


@pytest.fixture
def first_stage(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "in").write_text("given\n")
    (tmp_path / "place").mkdir()
    (tmp_path / "script").write_text(_FIRST_STAGE)
    words = ["nice", "-n", "3", "/bin/sh", "-e", "script", "/bin/job", "a b", ""]
    process = subprocess.Popen(words, env=_ENVIRONMENT, cwd=tmp_path, stdin=subprocess.PIPE)
    while not (tmp_path / "out").exists() or (tmp_path / "out").read_text() != "ready\n":
        assert process.poll() is None
    yield process
    process.kill()
    process.wait()


def test_words_and_environment_are_the_kernels(first_stage: subprocess.Popen[bytes], tmp_path: Path) -> None:
    call = takeover.call_of(first_stage.pid, os.getpid())
    assert call.words == [b"/bin/job", b"a b", b""]
    assert call.environment == {name.encode(): value.encode() for name, value in _ENVIRONMENT.items()}
    assert call.directory == str(tmp_path / "place")


def test_no_child_of_the_starters_is_refused(first_stage: subprocess.Popen[bytes]) -> None:
    with pytest.raises(OSError, match=f"process {first_stage.pid} is no first stage of starter 1"):
        takeover.call_of(first_stage.pid, 1)


def test_something_else_by_now_is_refused() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            with pytest.raises(OSError, match="is no first stage"):
                takeover.call_of(other.pid, os.getpid())
        finally:
            other.kill()


def test_it_is_as_the_other_was(first_stage: subprocess.Popen[bytes], tmp_path: Path) -> None:
    told, teller = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            takeover.take_place(first_stage.pid)
            os.write(1, os.read(0, 100))
            os.write(2, b"complaint\n")
            found = {
                "umask": os.umask(0),
                "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                "nice": os.getpriority(os.PRIO_PROCESS, 0),
                "score": Path("/proc/self/oom_score_adj").read_text().strip(),
                "processors": sorted(os.sched_getaffinity(0)),
            }
            os.write(teller, json.dumps(found).encode())
        except BaseException as error:
            os.write(teller, json.dumps(repr(error)).encode())
        finally:
            os._exit(0)
    os.close(teller)
    with os.fdopen(told) as file:
        found = json.load(file)
    os.waitpid(child, 0)
    assert found == {
        "umask": 0o027,
        "files": 200,
        "nice": min(os.getpriority(os.PRIO_PROCESS, 0) + 3, 19),
        "score": "500",
        "processors": sorted(os.sched_getaffinity(0)),
    }
    # The same open files, with what was written before.
    assert (tmp_path / "out").read_text() == "ready\ngiven\n"
    assert (tmp_path / "err").read_text() == "complaint\n"


def test_umask_and_parent_of_a_process(first_stage: subprocess.Popen[bytes]) -> None:
    assert procfs.umask(first_stage.pid) == 0o027
    assert procfs.parent(first_stage.pid) == os.getpid()
