"""Hosts without a kernel of their own: which they are, how they are plugged in, and what decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import namespace, paths
from lab.image import Image
from lab.say import LabError
from lab.topology import BY_NAME, HOSTS


def test_what_configures_kernels_keeps_its_own() -> None:
    assert {host.name for host in HOSTS if not host.own_kernel} == {"storage", "remote"}


def test_its_cards_are_those_of_the_topology(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "sockets", lambda: tmp_path)
    host = BY_NAME["remote"]
    words = namespace.Namespace(host, Image(tmp_path))._cards()
    assert words == ["wan", host.mac(1), str(tmp_path / "switch-wan"), "5", "203.0.113.9/24 203.0.113.53/24 203.0.113.80/24"]


@pytest.mark.parametrize(
    ("said", "reason", "expected"), [("", "", True), ("", "no tun", False), ("no", "", False), ("yes", "", True)]
)
def test_they_are_wanted_where_they_work(said: str, reason: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEEPFOLD_LAB_NAMESPACES", said)
    monkeypatch.setattr(namespace, "why_not", lambda image: reason)
    assert namespace.wanted(Image(Path("/nowhere"))) is expected


@pytest.mark.parametrize(("said", "sentence"), [("maybe", 'is "maybe"; expected "yes" or "no"'), ("yes", "none here: no tun")])
def test_what_cannot_be_is_one_sentence(said: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEEPFOLD_LAB_NAMESPACES", said)
    monkeypatch.setattr(namespace, "why_not", lambda image: "no tun")
    with pytest.raises(LabError, match=sentence):
        namespace.wanted(Image(Path("/nowhere")))


def test_a_machine_without_the_files_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "RUN", tmp_path)
    assert namespace.why_not(Image(tmp_path / "none"))
