"""Trees that a job made to be hard to remove."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.accounts import sandbox_lock
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.errors import SwitchError
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.linux import dirtree

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
    parent = dirtree.open_directory(str(path.parent))
    dirtree.remove(parent, path.name)
    os.close(parent)


def test_depth_does_not_stop_it(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    _deep(top)
    handle = dirtree.open_directory(str(top))
    names = [name for _, name, _ in dirtree.below(handle)]
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
    handle = dirtree.open_directory(str(top))
    assert sorted(name for _, name, _ in dirtree.below(handle)) == ["link", "loop"]
    os.close(handle)
    _remove(top)
    assert (outside / "kept").exists()
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        dirtree.open_directory(str(_linked(tmp_path)))


def _linked(tmp_path: Path) -> Path:
    link = tmp_path / "there"
    link.symlink_to(tmp_path / "outside")
    return link


def test_what_is_not_there_is_removed_already(tmp_path: Path) -> None:
    _remove(tmp_path / "none")


def test_who_moves_directories_about_is_not_followed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / "file").touch()
    handle = dirtree.open_directory(str(top))
    walk = dirtree.below(handle)
    assert next(walk)[1] == "file"
    (top / "a" / "b").rename(tmp_path / "b")
    with pytest.raises(OSError, match="moved about"):
        list(walk)
    os.close(handle)


def test_one_switch_at_a_time_for_a_starter(tmp_path: Path) -> None:
    first = sandbox_lock.in_sandbox_of(os.getpid(), str(tmp_path))
    with pytest.raises(SwitchError, match="nothing else is run beside it") as raised:
        sandbox_lock.in_sandbox_of(os.getpid(), str(tmp_path))
    assert raised.value.quiet
    os.close(first)
    os.close(sandbox_lock.in_sandbox_of(os.getpid(), str(tmp_path)))
