"""A sandbox goes to the account and comes back, whatever the job has made of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.sandbox import handover, layout

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="changes owners: root, or the mapped ids of the real thing (tests/pool)"
)

ACCOUNT, DAEMONS = handover.Owner(2100001, 2100001), handover.Owner(2100900, 2100901)


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A sandbox as the starter leaves it to the switch, handed over."""
    made = tmp_path / "dir_1"
    made.mkdir(mode=0o700)
    for name in ("input", ".job.ad", ".chirp.config", "_condor_stdout"):
        (made / name).write_text(name)
        (made / name).chmod(0o644)
    os.link(made / "input", made / "hard")
    (made / "link").symlink_to("/etc/passwd")
    for entry in [made, *made.iterdir()]:
        os.chown(entry, DAEMONS.uid, DAEMONS.gid, follow_symlinks=False)
    handover.hand_over(str(made), ACCOUNT, DAEMONS)
    return made


def inside(box: Path) -> Path:
    """What the job sees as its sandbox."""
    return box / layout.PRIVATE / layout.JOB


def test_the_job_gets_its_files_and_the_daemons_keep_the_directory(box: Path) -> None:
    job = inside(box)
    assert {entry.lstat().st_uid for entry in [job, *job.iterdir()]} == {ACCOUNT.uid}
    assert sorted(each.name for each in job.iterdir()) == [".chirp.config", ".job.ad", "_condor_stdout", "hard", "input", "link"]
    assert (box.stat().st_uid, stat.S_IMODE(box.stat().st_mode)) == (DAEMONS.uid, 0o700)
    assert layout.holder(str(box)) == ACCOUNT.uid
    # The daemons' own ad stays theirs; the job's output is one file with two names.
    assert (box / ".job.ad").stat().st_uid == DAEMONS.uid
    assert (box / "_condor_stdout").samefile(job / "_condor_stdout")


def test_it_comes_back_with_its_owner_and_without_setuid(box: Path) -> None:
    job = inside(box)
    (job / "closed").mkdir()
    (job / "closed" / "setuid").touch()
    for path in (job / "closed", job / "closed" / "setuid"):
        os.chown(path, ACCOUNT.uid, ACCOUNT.gid)
    (job / "closed" / "setuid").chmod(0o6755)
    (job / "closed").chmod(0o2000)
    (job / "roots").touch()
    handover.hand_back(str(box), ACCOUNT, DAEMONS)
    assert (box / "closed").stat().st_mode & 0o7777 == 0o700
    assert (box / "closed" / "setuid").stat().st_mode & 0o7777 == 0o755
    assert (box / "closed" / "setuid").stat().st_uid == DAEMONS.uid
    assert (box / "roots").stat().st_uid == 0
    assert (box / "input").read_text() == "input"
    assert not (box / layout.PRIVATE).exists()
    assert layout.holder(str(box)) is None
    assert Path("/etc/passwd").stat().st_uid == 0


def test_links_out_of_it_are_removed(box: Path) -> None:
    job = inside(box)
    (job / "sub").mkdir()
    (job / "inside").symlink_to("input")
    (job / "absolute").symlink_to(box / "input")
    (job / "dangling").symlink_to(box / "none")
    (job / "loop").symlink_to("loop")
    (job / "out").symlink_to("/etc")
    (job / "sub" / "up").symlink_to("../..")
    (job / "sub" / "beside").symlink_to("../input")
    (job / "sub" / "chain").symlink_to(box / "out")
    (job / "long").symlink_to("/etc/../" * 500 + "etc/passwd")
    removed = handover.hand_back(str(box), ACCOUNT, DAEMONS)
    assert sorted(removed) == ["link", "long", "out", "up"]
    left = {each.name: each.exists() for each in box.rglob("*") if each.is_symlink()}
    assert left == {"absolute": True, "beside": True, "chain": False, "dangling": False, "inside": True, "loop": False}


def test_names_that_are_the_daemons_own_do_not_come_back(box: Path) -> None:
    job = inside(box)
    for name in (".update.ad.tmp", layout.FAILURE):
        (job / name).symlink_to("/etc/passwd")
    (job / ".job.ad").unlink()
    (job / ".job.ad").symlink_to("/etc/passwd")
    (job / "_condor_stdout").unlink()
    (job / "_condor_stdout").symlink_to("/etc/passwd")
    (job / layout.PRIVATE).mkdir()
    os.mkfifo(job / ".update.ad")
    handover.hand_back(str(box), ACCOUNT, DAEMONS)
    assert sorted(each.name for each in box.iterdir()) == [".chirp.config", ".job.ad", "hard", "input"]
    assert (box / ".job.ad").read_text() == ".job.ad"


def test_what_a_keeper_did_not_finish_is_not_lost(box: Path) -> None:
    (inside(box) / "result").write_text("result")
    os.chown(inside(box) / "result", ACCOUNT.uid, ACCOUNT.gid)
    handover.hand_over(str(box), ACCOUNT, DAEMONS)
    assert (inside(box) / "result").read_text() == "result"
    assert handover.hand_back(str(box), ACCOUNT, DAEMONS) == []
    assert (box / "result").stat().st_uid == DAEMONS.uid
    assert handover.hand_back(str(box), ACCOUNT, DAEMONS) == []
