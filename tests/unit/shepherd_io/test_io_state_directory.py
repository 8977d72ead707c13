"""The state directory is the shepherd's user's, and root works in it: whatever that user puts there, root does nothing else."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import Override, OverrideKind
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.state.leader_lock import LeaderLock
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.state.override_files import OverrideFiles
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.state.state_file import Kept, MemoryFile
from fake_tools import until

SHEPHERD = 65534
HOLD = Override(OverrideKind.HOLD, "alice", "disks", nodes=frozenset({"p220"}))
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="processes of two users are needed")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    made = tmp_path / "elsewhere"
    made.mkdir()
    (made / "p220").write_text("precious")
    return made


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir()
    return made


@pytest.mark.parametrize("name", ["holds.d", "flockoff.d"])
def test_no_override_is_written_or_removed_through_a_linked_directory(state: Path, elsewhere: Path, name: str) -> None:
    (state / name).symlink_to(elsewhere)
    files = OverrideFiles(state)
    kind = OverrideKind.HOLD if name == "holds.d" else OverrideKind.OFF
    with pytest.raises(OSError):
        files.write(Override(kind, "alice", "disks", nodes=frozenset({"p220"})))
    with pytest.raises(OSError):
        files.remove(kind, ["p220"])
    assert (elsewhere / "p220").read_text() == "precious" and len(list(elsewhere.iterdir())) == 1
    # Nor is anything read there.
    found = files.read()
    assert found.overrides == () and f"{state / name} cannot be read" in found.problems[0]


def test_a_linked_file_is_replaced_itself(state: Path, elsewhere: Path) -> None:
    (state / "holds.d").mkdir()
    (state / "holds.d" / "p220").symlink_to(elsewhere / "p220")
    OverrideFiles(state).write(HOLD)
    assert not (state / "holds.d" / "p220").is_symlink() and (elsewhere / "p220").read_text() == "precious"


def test_directories_that_are_exchanged_all_the_time(state: Path, elsewhere: Path) -> None:
    ends = threading.Event()
    real, link = state / "real", state / "link"
    real.mkdir()
    link.symlink_to(elsewhere)

    def exchange() -> None:
        # What is at the name is one or the other, at any moment.
        while not ends.is_set():
            for each in (real, link):
                with contextlib.suppress(OSError):
                    each.rename(state / "holds.d")
                with contextlib.suppress(OSError):
                    (state / "holds.d").rename(each)

    thread = threading.Thread(target=exchange)
    thread.start()
    files = OverrideFiles(state)
    try:
        for _ in range(300):
            for change in (lambda: files.write(HOLD), lambda: files.remove(OverrideKind.HOLD, ["p220"])):
                with contextlib.suppress(OSError):
                    change()
    finally:
        ends.set()
        thread.join()
    assert (elsewhere / "p220").read_text() == "precious" and len(list(elsewhere.iterdir())) == 1


@as_root
def test_a_directory_of_somebody_else_is_refused(state: Path) -> None:
    (state / "holds.d").mkdir()
    os.chown(state, SHEPHERD, SHEPHERD)
    os.chown(state / "holds.d", SHEPHERD - 1, SHEPHERD - 1)
    with pytest.raises(OSError, match="it belongs to user 65533"):
        OverrideFiles(state).write(HOLD)


@pytest.mark.parametrize("name", ["memory.json", "lock"])
@pytest.mark.parametrize("bad", ["link", "pipe", "second name"])
def test_what_is_no_plain_file_is_neither_read_nor_written(state: Path, elsewhere: Path, name: str, bad: str) -> None:
    path = state / name
    if bad == "link":
        path.symlink_to(elsewhere / "p220")
    elif bad == "pipe":
        os.mkfifo(path)
    else:
        os.link(elsewhere / "p220", path)
    if name == "lock":
        assert LeaderLock(path).holder() == 0 and not LeaderLock(path).wake()
        with pytest.raises(OSError):
            LeaderLock(path).acquire()
    else:
        kept, problem = MemoryFile(path).read()
        assert kept == Kept() and str(path) in problem
        # Replaced, not followed.
        MemoryFile(path).write(Kept(cores={"p220": 4}))
        assert path.lstat().st_nlink == 1 and MemoryFile(path).read()[0].cores == {"p220": 4}
    assert (elsewhere / "p220").read_text() == "precious"


@as_root
def test_what_root_leaves_there_is_the_shepherds(state: Path) -> None:
    os.chown(state, SHEPHERD, SHEPHERD)
    lock = LeaderLock(state / "lock")
    assert lock.acquire()
    lock.release()
    MemoryFile(state / "memory.json").write(Kept())
    assert {path.name: path.stat().st_uid for path in state.iterdir()} == {"lock": SHEPHERD, "memory.json": SHEPHERD}


Start = Callable[[int], "subprocess.Popen[bytes]"]


@pytest.fixture
def victims() -> Iterator[Start]:
    """Starts processes of a user that wait for a signal."""
    made: list[subprocess.Popen[bytes]] = []
    # Whoever has had the lock ignores it, and so would what it starts.
    before = signal.signal(signal.SIGUSR1, signal.SIG_DFL)

    def start(user: int) -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen(["sleep", "600"], user=user))
        # Its start is over for us a moment before it is for the kernel.
        until(lambda: Path(f"/proc/{made[-1].pid}").stat().st_uid == user, "a process of that user")
        return made[-1]

    yield start
    signal.signal(signal.SIGUSR1, before)
    for each in made:
        each.kill()
        each.wait()


@as_root
@pytest.mark.parametrize(("user", "told"), [(SHEPHERD, True), (0, False), (SHEPHERD - 1, False)])
def test_only_a_process_of_the_shepherds_user_is_woken(state: Path, victims: Start, user: int, told: bool) -> None:
    os.chown(state, SHEPHERD, SHEPHERD)
    victim = victims(user)
    with (state / "lock").open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        holder.write(f"{victim.pid}\n")
        holder.flush()
        assert LeaderLock(state / "lock").wake() is told
        if told:
            assert victim.wait(20) == -signal.SIGUSR1
        else:
            assert victim.poll() is None
            for words in (f"-{victim.pid}", "-1", "0", "1", f"{victim.pid}" * 4, "٣", "x"):
                holder.seek(0)
                holder.truncate()
                holder.write(f"{words}\n")
                holder.flush()
                assert not LeaderLock(state / "lock").wake()
            assert victim.poll() is None
