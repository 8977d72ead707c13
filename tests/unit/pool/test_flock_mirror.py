"""The process that copies the containers' ads, with tools that write down how they were called."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "roles/pool/files/flock_mirror.py"
AD = """\
AuthenticatedIdentity = "f220@flock.sips"
FlockNode = true
LastHeardFrom = 1
Machine = "f220.sips"
Name = "slot1@f220.sips"
"""
POOL = "127.0.0.1:9618?sock=flock_collector"


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("flock_mirror", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "flock_mirror", module)
    specification.loader.exec_module(module)
    (tmp_path / "slots").write_text("")
    (tmp_path / "masters").write_text("")
    for name, text in (
        (
            "condor_status",
            f"case $* in *-master*) cat {tmp_path}/masters ;; *) cat {tmp_path}/slots ;; esac\n[ ! -e {tmp_path}/broken ]",
        ),
        ("condor_advertise", f'{{ echo "== $*"; cat; }} >>{tmp_path}/sent'),
    ):
        tool = tmp_path / name
        tool.write_text(f"#!/bin/sh\n{text}\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return module


def sent(tmp_path: Path) -> str:
    text = (tmp_path / "sent").read_text() if (tmp_path / "sent").exists() else ""
    (tmp_path / "sent").unlink(missing_ok=True)
    return text


def test_copies_what_is_new_marks_it_and_says_nothing_twice(mirror: ModuleType, tmp_path: Path) -> None:
    told: dict[str, dict[str, list[str]]] = {"slot": {}, "master": {}}
    (tmp_path / "slots").write_text(AD + "\n" + AD.replace("f220", "f221"))
    mirror.cycle(POOL, told)
    first = sent(tmp_path)
    assert first.startswith("== -tcp -multiple UPDATE_STARTD_AD -\n")
    assert first.count("FlockMirrored = True") == 2
    assert "AuthenticatedIdentity" not in first
    assert "LastHeardFrom" not in first
    mirror.cycle(POOL, told)
    assert sent(tmp_path) == ""
    (tmp_path / "slots").write_text(AD.replace("= 1", "= 2") + "\n" + AD.replace("f220", "f221"))
    mirror.cycle(POOL, told)
    assert sent(tmp_path).count("Name = ") == 1


def test_what_has_gone_is_invalidated_by_name_and_only_as_a_copy(mirror: ModuleType, tmp_path: Path) -> None:
    told: dict[str, dict[str, list[str]]] = {"slot": {"slot1@f220.sips": []}, "master": {"f220.sips": []}}
    mirror.cycle(POOL, told)
    text = sent(tmp_path)
    assert "== -tcp INVALIDATE_STARTD_ADS -" in text
    assert 'Requirements = Name == "slot1@f220.sips" && FlockMirrored =?= True' in text
    assert "== -tcp INVALIDATE_MASTER_ADS -" in text
    assert text.count("Requirements") == text.count("FlockMirrored =?= True") == 2


def test_a_silent_collector_is_no_reason_to_invalidate(mirror: ModuleType, tmp_path: Path) -> None:
    told: dict[str, dict[str, list[str]]] = {"slot": {"slot1@f220.sips": []}, "master": {}}
    (tmp_path / "broken").touch()
    with pytest.raises(mirror.Failure):
        mirror.cycle(POOL, told)
    assert sent(tmp_path) == ""


def test_an_ad_cannot_bring_the_mark_itself(mirror: ModuleType) -> None:
    assert mirror.copy_of(["FlockMirrored = False", 'Name = "x"']) == 'Name = "x"\nFlockMirrored = True\n'


def test_the_log_begins_anew_when_it_is_full(mirror: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "LOG_BYTES", 40)
    for word in ("one", "two", "three"):
        mirror.say(tmp_path / "log", word)
    assert [line.split()[-1] for line in (tmp_path / "log").read_text().splitlines()] == ["three"]
