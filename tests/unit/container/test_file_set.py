"""Module file_set: what it writes, predicts, shows and leaves alone."""

from __future__ import annotations

import getpass
import grp
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.modules import file_set

ME = {"owner": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name}


def _arguments(base: Path, **changes: Any) -> dict[str, Any]:
    return {
        "directories": [{"path": str(base / "d"), "mode": "0750", "exclusive": True, "keep": ["kept"], **ME}],
        "files": [
            {"path": str(base / "d" / "a"), "content": "one\n", "mode": "0640", **ME},
            {"path": str(base / "b"), "content": "zwei ä\n", **ME},
        ],
        "absent": [str(base / "old"), str(base / "tree")],
        **changes,
    }


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_writes_removes_and_is_idempotent(run_module, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "old").write_text("x")
    (tmp_path / "tree" / "in").mkdir(parents=True)
    first = run_module(file_set.main, **_arguments(tmp_path))
    assert first["changed"]
    assert (tmp_path / "d" / "a").read_text() == "one\n" and _mode(tmp_path / "d" / "a") == 0o640
    assert (tmp_path / "b").read_text() == "zwei ä\n" and _mode(tmp_path / "b") == 0o644
    assert _mode(tmp_path / "d") == 0o750
    assert not (tmp_path / "old").exists() and not (tmp_path / "tree").exists()
    again = run_module(file_set.main, **_arguments(tmp_path))
    assert not again["changed"] and again["paths"] == [] and again["diff"] == []


def test_check_mode_predicts_exactly_and_changes_nothing(run_module, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "old").write_text("x")
    predicted = run_module(file_set.main, **_arguments(tmp_path), _ansible_check_mode=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old"]
    done = run_module(file_set.main, **_arguments(tmp_path))
    assert predicted["paths"] == done["paths"] and predicted["diff"] == done["diff"]


def test_an_exclusive_directory_holds_only_what_is_named(run_module, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run_module(file_set.main, **_arguments(tmp_path))
    (tmp_path / "d" / "foreign").write_text("x")
    (tmp_path / "d" / "kept").write_text("x")
    answer = run_module(file_set.main, **_arguments(tmp_path))
    assert answer["paths"] == [str(tmp_path / "d" / "foreign")]
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == ["a", "kept"]


def test_a_changed_mode_is_a_change_with_one_line(run_module, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run_module(file_set.main, **_arguments(tmp_path))
    (tmp_path / "b").chmod(0o666)
    answer = run_module(file_set.main, **_arguments(tmp_path))
    (line,) = answer["diff"][0]["prepared"].splitlines()
    assert line.endswith(f"owner, group and mode become {ME['owner']}, {ME['group']} and 0644")
    assert answer["paths"] == [str(tmp_path / "b")] and _mode(tmp_path / "b") == 0o644


def test_the_diff_shows_before_and_after(run_module, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run_module(file_set.main, **_arguments(tmp_path))
    (tmp_path / "b").write_text("eins\n")
    answer = run_module(file_set.main, **_arguments(tmp_path), _ansible_diff=True)
    assert [(diff["before"], diff["after"]) for diff in answer["diff"]] == [("eins\n", "zwei ä\n")]


def test_a_link_in_a_files_place_is_replaced_and_its_target_left_alone(run_module, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "target").write_text("zwei ä\n")
    (tmp_path / "b").symlink_to(tmp_path / "target")
    run_module(file_set.main, **_arguments(tmp_path))
    assert not (tmp_path / "b").is_symlink() and (tmp_path / "target").read_text() == "zwei ä\n"


def test_a_file_in_a_directorys_place_is_an_error(run_module, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "d").write_text("x")
    answer = run_module(file_set.main, **_arguments(tmp_path))
    assert answer["failed"] and "is not a directory" in answer["msg"]


def test_a_directory_is_pruned_only_when_nothing_is_left_in_it(run_module, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "etc" / "role").mkdir(parents=True)
    (tmp_path / "lib" / "role").mkdir(parents=True)
    (tmp_path / "lib" / "another").touch()
    arguments = {
        "absent": [str(tmp_path / "etc" / "role"), str(tmp_path / "lib" / "role")],
        "prune": [str(tmp_path / "etc"), str(tmp_path / "lib"), str(tmp_path / "missing")],
    }
    predicted = run_module(file_set.main, **arguments, _ansible_check_mode=True)
    assert (tmp_path / "etc" / "role").is_dir()
    done = run_module(file_set.main, **arguments)
    assert predicted["paths"] == done["paths"] and str(tmp_path / "etc") in done["paths"]
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]
    assert not run_module(file_set.main, **arguments)["changed"]


@pytest.mark.parametrize("call", ["unlink", "rmdir"])
def test_what_another_removes_meanwhile_is_gone(run_module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:  # type: ignore[no-untyped-def]
    real = getattr(os, call)

    def another_was_first(name: Any, **arguments: Any) -> None:
        real(name, **arguments)
        raise FileNotFoundError(2, "No such file or directory", str(name))

    (tmp_path / "old").write_text("x")
    (tmp_path / "etc" / "role" / "tokens").mkdir(parents=True)
    for place in ("role", "role/tokens"):
        (tmp_path / "etc" / place / "file").write_text("x")
    monkeypatch.setattr(os, call, another_was_first)
    absent = [str(tmp_path / "old"), str(tmp_path / "etc" / "role")]
    answer = run_module(file_set.main, absent=absent, prune=[str(tmp_path / "etc")])
    assert answer["paths"] == [*absent, str(tmp_path / "etc")]
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_removed_is_said(run_module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "role").mkdir()
    (tmp_path / "role" / "file").write_text("x")

    def refuse(name: Any, **_arguments: Any) -> None:
        raise PermissionError(1, "Operation not permitted", str(name))

    monkeypatch.setattr(os, "unlink", refuse)
    answer = run_module(file_set.main, absent=[str(tmp_path / "role")])
    assert answer["failed"] and "Operation not permitted" in answer["msg"]


def test_a_directory_that_another_uses_meanwhile_is_left(run_module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "etc").mkdir()
    real = os.rmdir

    def another_writes(name: Any, **arguments: Any) -> None:
        (tmp_path / "etc" / "another").touch()
        real(name, **arguments)

    monkeypatch.setattr(os, "rmdir", another_writes)
    run_module(file_set.main, prune=[str(tmp_path / "etc")])
    assert [path.name for path in (tmp_path / "etc").iterdir()] == ["another"]
