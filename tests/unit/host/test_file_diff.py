"""What ``--diff`` shows of files: a changed text line by line, everything else in one line each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ansible_collections.sheepfold.htcondor.plugins.module_utils.host.file_diff import FileDiff, digest
from ansible_collections.sheepfold.htcondor.plugins.modules import file_set

ROOT = Path(__file__).resolve().parents[3]


def _lines(result: list[dict[str, str]]) -> list[str]:
    return [line for part in result for line in part.get("prepared", "").splitlines()]


def test_a_changed_text_is_shown_and_a_new_or_removed_one_has_a_line() -> None:
    diff = FileDiff()
    diff.text("/etc/changed", "a\n", "b\n")
    diff.text("/etc/new", None, "1\n2\n")
    diff.text("/etc/gone", "1\n", None)
    result = diff.result()
    assert [(part["before"], part["after"]) for part in result if "before" in part] == [("a\n", "b\n")]
    assert _lines(result) == [
        f"+ /etc/new: new, 2 lines, sha256 {digest('1' + chr(10) + '2' + chr(10))}",
        "- /etc/gone: removed, 1 line",
    ]


def test_a_hundred_programs_of_a_directory_have_one_line() -> None:
    diff, changed = FileDiff(), FileDiff()
    for number in range(100):
        diff.program(f"/usr/lib/engine/{number}.py", None, f"print({number})\n")
        changed.program(f"/usr/lib/engine/{number}.py", f"print({number})\n", f"print({number + 1})\n")
    (new,), (line,) = _lines(diff.result()), _lines(changed.result())
    assert new.startswith("+ /usr/lib/engine/: 100 programs, sha256 none -> ")
    assert re.fullmatch(r"~ /usr/lib/engine/: 100 programs, sha256 [0-9a-f]{12} -> [0-9a-f]{12}", line)
    assert line.split()[-1] != line.split()[-3]


def test_one_program_is_named_with_its_own_digests() -> None:
    diff = FileDiff()
    diff.program("/usr/lib/one", "old\n", "new\n")
    shown = _lines(diff.result())
    old, new = digest("old\n"), digest("new\n")
    assert shown == [f"~ /usr/lib/one: program, sha256 {old} -> {new}"]


def test_with_v_everything_is_shown_whole() -> None:
    diff = FileDiff(whole=True)
    diff.program("/usr/lib/one", None, "new\n")
    diff.text("/etc/new", None, "1\n")
    assert [part["after"] for part in diff.result()] == ["new\n", "1\n"]


def test_nothing_that_changed_is_an_empty_diff() -> None:
    assert FileDiff().result() == []


def test_a_first_run_of_a_role_is_a_screen_at_most(run_module: Any, tmp_path: Path) -> None:
    files = [{"path": str(tmp_path / f"unit{number}"), "content": "line\n" * 400} for number in range(8)]
    files += [
        {"path": str(tmp_path / "lib" / f"{number}.py"), "content": "line\n" * 400, "program": True} for number in range(50)
    ]
    directories = [{"path": str(tmp_path / "lib")}]
    answer = run_module(
        file_set.main, files=files, directories=directories, _ansible_diff=True, _ansible_check_mode=True, _ansible_verbosity=0
    )
    assert len(answer["paths"]) == 59
    assert len(_lines(answer["diff"])) == 10 and len(json.dumps(answer["diff"])) < 2000


def test_each_program_of_the_roles_is_marked_as_one() -> None:
    unmarked = [
        f"{path.relative_to(ROOT)}: {found.group(1)}"
        for pattern in ("tasks", "vars")
        for path in sorted(ROOT.glob(f"roles/*/{pattern}/*.yml"))
        for found in re.finditer(
            r"content: \"\{\{ lookup\('ansible\.builtin\.file', '([^']+)', rstrip=false\) \}\}\"\n(?!\s+program: true)",
            path.read_text(),
        )
    ]
    assert unmarked == []
