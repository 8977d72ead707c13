"""Module condor_snippets, whole, with tools that write down how they were called."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RunModule = Callable[..., dict[str, Any]]

VALUE = """\
#!/bin/sh
echo "$CONDOR_CONFIG $*" >>{log}
staged=$(sed -n 's/^LOCAL_CONFIG_DIR = //p' "$CONDOR_CONFIG" | tr -d ' ' | tr ',' '\\n' | tail -1)
case $* in
LOCAL_CONFIG_DIR) echo "/usr/share/condor/config.d,{config}" ;;
MASTER) grep -rq BROKEN "$staged" && {{ echo "Configuration Error Line 1" >&2; exit 1; }}; echo /usr/sbin/condor_master ;;
*) sed -n "s/^START = //p" "$staged"/* ;;
esac
"""
STATUS = """\
#!/bin/sh
echo "$*" >>{log}
case $* in *'&&') echo "Invalid constraint expression" ;; esac
exit 0
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
    assert [call.split(" ", 1)[1] for call in calls[:3]] == ["LOCAL_CONFIG_DIR", "MASTER", "-subsystem STARTD START"]
    # The live configuration is asked for its directories alone, the rest is asked of the staged one.
    assert calls[0].startswith(str(config.parent / "condor_config"))
    assert not calls[1].startswith(str(config.parent))
    assert calls[3].endswith("-constraint True")


def test_second_run_changes_nothing_and_asks_nothing(run_module: RunModule, config: Path) -> None:
    run_module("condor_snippets", **wish(config))
    (config.parent / "calls").unlink()
    result = run_module("condor_snippets", **wish(config))
    assert not result["changed"]
    assert result["diff"] == []
    assert not (config.parent / "calls").exists()


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
