"""Module condor_snippets, whole, with tools that write down how they were called."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration import staging

RunModule = Callable[..., dict[str, Any]]

VALUE = """\
#!/usr/bin/env python3
import os, re, sys
from pathlib import Path

words = sys.argv[1:]
with open("{log}", "a") as log:
    print(os.environ["CONDOR_CONFIG"], *words, file=log)
text = Path(os.environ["CONDOR_CONFIG"]).read_text()
named = re.findall("^LOCAL_CONFIG_DIR = (.*)$", text, re.M) or ["/usr/share/condor/config.d,{config}"]
files = sorted(each for each in Path(named[-1].replace(",", " ").split()[-1]).iterdir() if each.is_file())
known = {{"LOCAL_CONFIG_DIR": (named[-1], "")}}
for file in files:
    for line in file.read_text().splitlines():
        if line == "BROKEN":
            sys.exit("Configuration Error Line 1")
        name, _equals, value = line.partition(" = ")
        known[name] = (value, file)
if "-macro" in words:
    for text in words[words.index("-macro") + 1 :]:
        print(re.sub(r"[$][(](\\w+)[)]", lambda match: known.get(match[1], ("", ""))[0], text))
elif "-dump" in words:
    for name, (value, file) in known.items():
        if re.search(words[-1], name):
            print(name, "=", value)
            print(" # at:", str(file) + ", line 1")
else:
    print(known.get(words[-1], ("/usr/sbin/condor_master", ""))[0])
"""
STATUS = """\
#!/bin/sh
echo "$*" >>{log}
value=$(sed -n 's/^Bare = //p' "$2")
case $value in *'&&') exit 0 ;; esac
echo "Bare = $value"
echo "Bracketed = ($value)"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "config.d"
    directory.mkdir()
    (directory / "10-site.conf").write_text("DAEMON_LIST = MASTER\n")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("condor_config_val", VALUE), ("condor_status", STATUS)):
        (tools / name).write_text(text.format(log=tmp_path / "calls", config=directory))
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    (tmp_path / "condor_config").write_text("")
    monkeypatch.setenv("CONDOR_CONFIG", str(tmp_path / "condor_config"))
    return directory


def wish(config: Path, snippet: str = "START = True\n") -> dict[str, Any]:
    return {
        "directory": str(config),
        "snippets": {"60-flock-node.conf": snippet},
        "files": [{"path": str(config.parent / "etc/mirror"), "content": "#!\n", "mode": "0755"}],
        "expressions": [{"name": "START", "subsystem": "STARTD"}],
    }


def test_writes_what_htcondor_can_read(run_module: RunModule, config: Path) -> None:
    result = run_module("condor_snippets", **wish(config))
    assert result["changed"]
    assert result["files"] == [str(config / "60-flock-node.conf"), str(config.parent / "etc/mirror")]
    assert (config / "60-flock-node.conf").read_text() == "START = True\n"
    assert stat.S_IMODE((config.parent / "etc/mirror").stat().st_mode) == 0o755
    assert (config / "10-site.conf").read_text() == "DAEMON_LIST = MASTER\n"
    calls = (config.parent / "calls").read_text().splitlines()
    # The live configuration is asked for its directories alone, the rest is asked of the staged one.
    assert [call for call in calls if call.startswith(str(config.parent))] == [calls[0]]
    assert "$(LOCAL_CONFIG_DIR)" in calls[0]


def test_second_run_changes_nothing_and_asks_again(run_module: RunModule, config: Path) -> None:
    run_module("condor_snippets", **wish(config))
    (config.parent / "calls").unlink()
    result = run_module("condor_snippets", **wish(config))
    assert not result["changed"]
    assert result["diff"] == []
    # Another file of the site may stand in the way by now.
    assert "-dump" in (config.parent / "calls").read_text()
    (config / "99-site.conf").write_text("START = False\n")
    assert run_module("condor_snippets", **wish(config))["msg"].startswith("START is 'False' (")


def test_check_mode_checks_and_writes_nothing(run_module: RunModule, config: Path) -> None:
    result = run_module("condor_snippets", check=True, **wish(config))
    assert result["changed"]
    (lines,) = (part["prepared"].splitlines() for part in result["diff"])
    assert lines[0].startswith(f"+ {config / '60-flock-node.conf'}: new, 1 line, sha256 ")
    assert [path.name for path in config.iterdir()] == ["10-site.conf"]
    assert "MASTER" in (config.parent / "calls").read_text()


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("snippet", "sentence"),
    [
        ("BROKEN\n", "HTCondor cannot read the configuration with these snippets: Configuration Error Line 1"),
        ("START = a &&\n", "START is 'a &&': expected a ClassAd expression"),
    ],
)
def test_what_htcondor_cannot_read_is_never_written(
    run_module: RunModule, config: Path, snippet: str, sentence: str, check: bool
) -> None:
    result = run_module("condor_snippets", check=check, **wish(config, snippet))
    assert result["failed"]
    assert result["msg"] == sentence
    assert result["cmd"][0].startswith("condor_")
    assert [path.name for path in config.iterdir()] == ["10-site.conf"]
    assert not (config.parent / "etc").exists()


def test_removal_leaves_the_rest_and_happens_once(run_module: RunModule, config: Path) -> None:
    run_module("condor_snippets", **wish(config))
    away: dict[str, Any] = {
        "directory": str(config),
        "snippets": {"60-flock-node.conf": "", "60-flock-access-point.conf": ""},
        "files": [{"path": str(config.parent / "etc/mirror")}],
    }
    result = run_module("condor_snippets", **away)
    assert result["changed"]
    assert [path.name for path in config.iterdir()] == ["10-site.conf"]
    assert not (config.parent / "etc").exists()
    assert not run_module("condor_snippets", **away)["changed"]


def test_htcondors_own_directory_stays_though_it_is_empty(run_module: RunModule, config: Path) -> None:
    run_module("condor_snippets", **wish(config))
    (config / "10-site.conf").unlink()
    assert run_module("condor_snippets", directory=str(config), snippets={"60-flock-node.conf": ""})["changed"]
    assert list(config.iterdir()) == []


def test_a_directory_that_htcondor_does_not_read_is_refused(run_module: RunModule, config: Path) -> None:
    other = config.parent / "other.d"
    other.mkdir()
    result = run_module("condor_snippets", **wish(other))
    assert result["failed"]
    assert f"expected {other} in it" in result["msg"]
    assert list(other.iterdir()) == []


def test_missing_htcondor_is_one_sentence(run_module: RunModule, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = run_module("condor_snippets", **wish(config))
    assert result["msg"] == "condor_config_val is missing: expected HTCondor to be installed"


def test_a_changed_mode_is_mended(run_module: RunModule, config: Path) -> None:
    run_module("condor_snippets", **wish(config))
    (config / "60-flock-node.conf").chmod(0o600)
    assert run_module("condor_snippets", **wish(config))["files"] == [str(config / "60-flock-node.conf")]
    assert stat.S_IMODE((config / "60-flock-node.conf").stat().st_mode) == 0o644


def test_only_files_are_looked_at_as_by_htcondor(run_module: RunModule, config: Path, tmp_path: Path) -> None:
    """A link to a directory may lead anywhere, and a pipe would keep us waiting."""
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "60-more.conf").write_text("MORE = 1\n")
    (config / "away").symlink_to(tmp_path / "elsewhere")
    (config / "20-linked.conf").symlink_to(tmp_path / "elsewhere" / "60-more.conf")
    (config / "nowhere").symlink_to(tmp_path / "missing")
    os.mkfifo(config / "pipe")
    with staging._staged(config, []) as stage:
        assert sorted(path.name for path in stage.copy.iterdir()) == ["10-site.conf", "20-linked.conf"]
        assert not [path for path in stage.copy.iterdir() if path.is_symlink()]
