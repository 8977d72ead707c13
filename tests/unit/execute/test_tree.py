"""Trees that a job made to be hard to remove, and hand-over of what is in them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute import sandbox, tree

DEEP = 1500
"""More than Python's recursion, or a path's length, would bear."""


def _deep(top: Path) -> None:
    here = os.open(top, os.O_RDONLY)
    for _ in range(DEEP):
        os.mkdir("a_directory", dir_fd=here)
        below = os.open("a_directory", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT, dir_fd=here))
    os.close(here)


def _remove(path: Path) -> None:
    parent = tree.open_directory(str(path.parent))
    tree.remove(parent, path.name)
    os.close(parent)


def test_depth_does_not_stop_it(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    _deep(top)
    handle = tree.open_directory(str(top))
    names = [name for _, name, _ in tree.below(handle)]
    os.close(handle)
    assert names == ["file"] + ["a_directory"] * DEEP
    _remove(top)
    assert list(tmp_path.iterdir()) == []


def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(outside)
    (top / "loop").symlink_to(top)
    handle = tree.open_directory(str(top))
    assert sorted(name for _, name, _ in tree.below(handle)) == ["link", "loop"]
    os.close(handle)
    _remove(top)
    assert (outside / "kept").exists()
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        tree.open_directory(str(_linked(tmp_path)))


def _linked(tmp_path: Path) -> Path:
    link = tmp_path / "there"
    link.symlink_to(tmp_path / "outside")
    return link


def test_what_is_not_there_is_removed_already(tmp_path: Path) -> None:
    _remove(tmp_path / "none")


@pytest.mark.skipif(os.geteuid() != 0, reason="changes owners: root, or the mapped ids of the real thing (tests/pool)")
def test_a_sandbox_goes_over_and_comes_back(tmp_path: Path) -> None:
    account, daemons = sandbox.Owner(2100001, 2100001), sandbox.Owner(2100900, 2100901)
    box = tmp_path / "dir_1"
    box.mkdir(mode=0o700)
    (box / "input").touch()
    os.link(box / "input", box / "hard")
    (box / "link").symlink_to("/etc/passwd")
    before = Path("/etc/passwd").stat().st_uid
    sandbox.hand_over(str(box), account, daemons)
    assert {entry.lstat().st_uid for entry in box.iterdir()} == {account.uid}
    assert (stat.S_IMODE(box.stat().st_mode), box.stat().st_uid, box.stat().st_gid) == (0o770, account.uid, daemons.gid)
    assert sorted(each.name for each in (box / sandbox.PRIVATE).iterdir()) == ["tmp", "var_tmp"]

    # The job's doing: what it closed, what it gave more rights than it should have, and what was never its own.
    (box / "closed").mkdir()
    (box / "closed" / "setuid").touch()
    for path in (box / "closed", box / "closed" / "setuid"):
        os.chown(path, account.uid, account.gid)
    (box / "closed" / "setuid").chmod(0o6755)
    (box / "closed").chmod(0o2000)
    (box / "roots").touch()
    _make_links(box)
    removed = sandbox.hand_back(str(box), account, daemons)
    assert sorted(removed) == ["link", "long", "out", "up"]
    left = {each.name: each.exists() for each in box.rglob("*") if each.is_symlink()}
    assert left == {"chain": False, "dangling": False, "inside": True, "loop": False}
    assert not (box / sandbox.FAILURE).is_symlink()
    assert (box / "closed").stat().st_mode & 0o7777 == 0o700
    assert (box / "closed" / "setuid").stat().st_mode & 0o7777 == 0o755
    assert (box / "closed" / "setuid").stat().st_uid == daemons.uid
    assert (box / "roots").stat().st_uid == 0
    assert not (box / sandbox.PRIVATE).exists()
    assert Path("/etc/passwd").stat().st_uid == before


def _make_links(box: Path) -> None:
    """Links of a job: into the sandbox, and by various ways out of it."""
    (box / "closed").chmod(0o755)
    (box / "inside").symlink_to("input")
    (box / "dangling").symlink_to(box / "none")
    (box / "loop").symlink_to("loop")
    (box / "out").symlink_to("/etc")
    (box / "closed" / "up").symlink_to("../..")
    (box / "closed" / "chain").symlink_to(box / "link")
    (box / "long").symlink_to("/etc/../" * 500 + "etc/passwd")
    (box / sandbox.FAILURE).symlink_to("/etc/passwd")
    (box / "closed").chmod(0o2000)
