"""The switch's command line, where something is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute import account_check, cli, settings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.errors import CLIENT, SYSTEM, SwitchError


def _ends(monkeypatch: pytest.MonkeyPatch, *words: str) -> list[tuple[int, str]]:
    """Classes and sentences of what the command reports."""
    reported: list[tuple[int, str]] = []
    monkeypatch.setattr(cli.sys, "argv", ["switch", *words])
    monkeypatch.setattr(cli, "_report", lambda error, starter: reported.append((error.code, str(error))))
    cli.main()
    return reported


def test_words_that_make_no_sense_are_the_callers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    ((code, sentence),) = _ends(monkeypatch, "jbo")
    assert code == CLIENT
    assert sentence == "The words are ['jbo']: expected job FILE EXECUTABLE, payload, check or service"


@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError(), BlockingIOError(11, "no more processes")])
def test_nothing_that_goes_wrong_is_a_jobs_exit_code(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_words: object) -> None:
        raise error

    monkeypatch.setattr(cli, "job", fail)
    assert _ends(monkeypatch, "job", "/x", "/bin/true") == [(SYSTEM, f"The switch failed: {error!r}")]


def test_what_the_switch_says_itself_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_words: object) -> None:
        raise SwitchError(203, "not here")

    monkeypatch.setattr(cli, "job", refuse)
    assert _ends(monkeypatch, "job", "/x", "/bin/true") == [(203, "not here")]


def test_the_check_remembers_what_it_cleared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = settings.parse(f"account = pool01 200001\nrun_directory = {tmp_path}\nexecute = {tmp_path}/none")
    left = [["file /tmp/x"], [], []]
    monkeypatch.setattr(account_check.settings, "read", lambda: known)
    monkeypatch.setattr(account_check.clean_check, "left_by", lambda *_words: left.pop(0))
    monkeypatch.setattr(account_check, "_clear", lambda *_words: None)

    def told() -> dict[str, str]:
        account_check.main()
        return dict(line.split(" = ", 1) for line in capsys.readouterr().out.splitlines() if " = " in line)

    first, second = told(), told()
    assert (first["SheepfoldCleared"], second["SheepfoldCleared"]) == ('"pool01: file /tmp/x"', '""')
    assert first["SheepfoldLastCleared"] == second["SheepfoldLastCleared"] == '"pool01: file /tmp/x"'
    assert first["SheepfoldLastClearedAt"] == second["SheepfoldLastClearedAt"]
    assert abs(int(second["SheepfoldLastClearedAt"]) - os.stat(tmp_path / "cleared").st_mtime) < 2  # noqa: PTH116
