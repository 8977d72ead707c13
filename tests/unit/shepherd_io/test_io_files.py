"""Overrides and configuration on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.configuration import (
    Configuration,
    ConfigurationError,
    TmpFlockoff,
    load,
    parse,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import Override, OverrideKind
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.state import override_files
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.state.override_files import OverrideFiles, is_node_name

ME = override_files.user_name(os.getuid())


def test_nothing_there_is_nothing_wrong(tmp_path: Path) -> None:
    found = OverrideFiles(tmp_path / "nowhere", TmpFlockoff(str(tmp_path / "x"))).read()
    assert found.overrides == () and found.problems == ()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    files = OverrideFiles(tmp_path)
    everywhere = Override(OverrideKind.OFF, "alice", "power work", 1_900_000_000, evict=True)
    here = Override(OverrideKind.OFF, "bob", "noise", nodes=frozenset({"p220", "p221"}))
    held = Override(OverrideKind.HOLD, "eve", "disks", nodes=frozenset({"p222"}))
    for each in (everywhere, here, held):
        files.write(each)
    found = files.read()
    assert found.problems == ()
    assert [(each.kind, each.owner, each.reason, each.expires, each.evict, sorted(each.nodes)) for each in found.overrides] == [
        (OverrideKind.OFF, "alice", "power work", 1_900_000_000, True, []),
        (OverrideKind.OFF, "bob", "noise", 0, False, ["p220"]),
        (OverrideKind.OFF, "bob", "noise", 0, False, ["p221"]),
        (OverrideKind.HOLD, "eve", "disks", 0, False, ["p222"]),
    ]
    assert found.overrides[0].source == str(tmp_path / "flockoff")
    assert files.remove(OverrideKind.OFF, []) == [tmp_path / "flockoff"] and files.remove(OverrideKind.OFF, []) == []
    assert files.remove(OverrideKind.OFF, ["p220", "p9"]) == [tmp_path / "flockoff.d" / "p220"]
    assert files.remove(OverrideKind.HOLD, ["p222"]) == [tmp_path / "holds.d" / "p222"]
    assert [sorted(each.nodes) for each in files.read().overrides] == [["p221"]]


def test_an_empty_file_switches_off(tmp_path: Path) -> None:
    (tmp_path / "flockoff").touch()
    (override,) = OverrideFiles(tmp_path).read().overrides
    assert (override.kind, override.owner, override.nodes) == (OverrideKind.OFF, ME, frozenset())


def test_what_cannot_be_parsed_counts_and_is_reported(tmp_path: Path) -> None:
    (tmp_path / "holds.d").mkdir()
    (tmp_path / "holds.d" / "p220").write_text("what is this\n")
    (tmp_path / "holds.d" / ".p220.tmp").write_text("half")
    found = OverrideFiles(tmp_path).read()
    assert [(each.kind, each.nodes) for each in found.overrides] == [(OverrideKind.HOLD, frozenset({"p220"}))]
    assert len(found.problems) == 1 and "'what is this'" in found.problems[0]


def test_a_file_that_is_none_switches_off_and_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "flockoff")
    found = OverrideFiles(tmp_path).read()
    assert [each.kind for each in found.overrides] == [OverrideKind.OFF] and "is no plain file" in found.problems[0]


@pytest.mark.parametrize("bad", ["link", "pipe", "directory"])
def test_in_everybodys_place_only_plain_files_count(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "tmp-flockoff"
    if bad == "link":
        (tmp_path / "target").touch()
        path.symlink_to(tmp_path / "target")
    elif bad == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    found = OverrideFiles(tmp_path, TmpFlockoff(str(path), (ME,))).read()
    assert found.overrides == () and found.problems[0].startswith(f"{path} is ignored: ")


def test_in_everybodys_place_the_owner_decides(tmp_path: Path) -> None:
    path = tmp_path / "tmp-flockoff"
    path.write_text("reason: weekend\n")
    (override,) = OverrideFiles(tmp_path, TmpFlockoff(str(path), ("alice", ME))).read().overrides
    assert (override.owner, override.reason) == (ME, "weekend")
    found = OverrideFiles(tmp_path, TmpFlockoff(str(path), ("alice",))).read()
    assert found.overrides == () and found.problems == (f"{path} is ignored: it belongs to {ME}, expected one of alice",)
    assert OverrideFiles(tmp_path).read().overrides == ()


@pytest.mark.parametrize(
    ("name", "right"),
    [("p220", True), ("p-1.example", True), ("", False), (".p", False), ("../p", False), ("a/b", False), ("a b", False)],
)
def test_names_of_nodes(name: str, right: bool) -> None:
    assert is_node_name(name) is right


def test_an_empty_configuration_is_the_default() -> None:
    assert parse({}) == Configuration()
    assert parse({"settings": {"cycle": 60, "lease": 180}}).deadline == 48


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([], "the configuration is []: expected a JSON object."),
        ({"settings": 3}, "settings is 3: expected a JSON object."),
        ({"settings": {"reserve": -1}}, "reserve is -1: expected a share from 0 to 1."),
        ({"settings": {"low": 5, "high": 4}}, "low is 5: expected no more than high, which is 4."),
        ({"settings": {"threshold": -1}}, "threshold is -1: expected a whole number, 0 or more."),
        ({"pool": []}, "pool is []: expected a JSON object."),
        ({"pool": {"timeout": True}}, "pool.timeout is True: expected a number."),
        ({"pool": {"timeout": 0}}, "pool.timeout is 0: expected a number of seconds above 0."),
        ({"pool": {"timeout": float("nan")}}, "pool.timeout is nan: expected a number."),
        ({"pool": {"transport": "mail"}}, "pool.transport is 'mail': expected tools or bindings."),
        ({"pool": {"at_once": 0}}, "pool.at_once is 0: expected a whole number, 1 or more."),
        ({"scope": {"access_points": "a"}}, "scope.access_points is 'a': expected a list of texts."),
        ({"scope": {"access_points": [1]}}, "scope.access_points is [1]: expected a list of texts."),
        ({"state_directory": "here"}, "state_directory is 'here': expected an absolute path."),
        ({"deadline": 301}, "deadline is 301: expected seconds above 0, no more than settings.cycle, which is 300."),
        ({"metrics": {"port": 0}}, "metrics.port is 0: expected a port, 1 to 65535."),
        ({"tmp_flockoff": {"owners": []}}, "tmp_flockoff.owners is empty: expected the users whose file counts."),
        (
            {"monitoring": {"url": "http://x", "user": "u", "password_file": "p", "ca_file": "c"}},
            "monitoring.url is 'http://x': expected an address that begins with https://.",
        ),
        (
            {"monitoring": {"url": "https://x", "user": "u", "password_file": "p"}},
            "monitoring.ca_file is empty: expected the file of the certificate authority that has signed the server's "
            "certificate.",
        ),
    ],
)
def test_each_problem_is_one_sentence(values: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse(values)
    assert raised.value.problems == [problem]


def test_all_problems_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"pool": {"settle": "a"}, "deadline": true, "more": 1}')
    with pytest.raises(ConfigurationError) as raised:
        load(str(path))
    assert len(raised.value.problems) == 3
