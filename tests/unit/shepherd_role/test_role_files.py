"""What the role writes: the unit, the engine and its command, configuration, rights and secrets."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.configuration import parse
from role_evaluation import Evaluate
from role_values import ICINGA, ROOT

systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not there")


def _values(unit: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))


# The unit


@systemd
def test_systemd_takes_the_unit(template: Evaluate, tmp_path: Path) -> None:
    unit = tmp_path / "shepherd.service"
    # A command that is there, whose presence systemd looks at.
    unit.write_text(template("shepherd.service.j2", shepherd__program=shutil.which("true")))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    # Older ones do not know a growing delay and say so.
    said = [
        line
        for line in done.stderr.splitlines()
        if unit.name in line and not re.search(r"Unknown key.*'(RestartSteps|RestartMaxDelaySec)'", line)
    ]
    assert (done.returncode, said) == (0, [])
    unit.write_text(unit.read_text().replace("Type=notify", "Type=nothing"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert "service type" in done.stderr, "the check sees mistakes"


@systemd
def test_systemd_finds_it_well_locked_in(template: Evaluate, tmp_path: Path) -> None:
    unit = tmp_path / "shepherd.service"
    unit.write_text(template("shepherd.service.j2", shepherd__program=shutil.which("true")))
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=30", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_the_unit_follows_the_cycle_and_the_directories(template: Evaluate) -> None:
    values = _values(template("shepherd.service.j2", shepherd_settings={"cycle": 60}, shepherd_state_directory="/srv/shepherd"))
    assert values["WatchdogSec"] == "180"
    assert int(values["TimeoutStartSec"]) >= 2 * 48 + 30
    assert values["ReadWritePaths"] == "/tmp /srv/shepherd"
    assert values["CapabilityBoundingSet"] == ""
    assert "PrivateTmp" not in values, "HTCondor's file-system authentication is by a directory in /tmp"


def test_what_only_a_new_process_reads_changes_the_unit(template: Evaluate) -> None:
    plain = template("shepherd.service.j2")
    assert template("shepherd.service.j2", shepherd_metrics={"port": 9819}) != plain
    assert template("shepherd.service.j2", shepherd_settings={"reserve": 0.5}) == plain


def _handled(evaluate: Evaluate, *paths: str) -> list[str]:
    return list(evaluate("{{ shepherd__for_restart }}", shepherd__written={"paths": list(paths)}))


def test_a_changed_configuration_alone_is_no_reason_to_restart(evaluate: Evaluate) -> None:
    assert _handled(evaluate, "/etc/sheepfold/shepherd/shepherd.json") == []
    assert _handled(evaluate, "/etc/sheepfold/shepherd/shepherd.json", "/etc/systemd/system/shepherd.service")


# The configuration


def test_the_configuration_is_what_the_engine_reads(evaluate: Evaluate) -> None:
    variables: dict[str, Any] = {
        "shepherd_settings": {"policy": "threshold", "reserve": 0.5},
        "shepherd_scope": {"access_points": ["submit.sips"]},
        "shepherd_tmp_flockoff": {"owners": ["root", "operator"]},
        "shepherd_monitoring": ICINGA,
        "shepherd_metrics": {"port": 9900},
    }
    files = {each["path"]: each for each in evaluate("{{ shepherd__files }}", **variables)}
    text = files["/etc/sheepfold/shepherd/shepherd.json"]["content"]
    found = parse(json.loads(text))
    assert text.endswith("}\n")
    assert (found.settings.policy, found.settings.reserve) == ("threshold", 0.5)
    assert found.scope.access_points == ("submit.sips",)
    assert found.tmp_flockoff is not None
    assert found.tmp_flockoff.owners == ("root", "operator")
    assert found.monitoring is not None
    assert found.monitoring.password_file == "/etc/sheepfold/shepherd/icinga-password", "a copy that its user may read"
    assert found.metrics is not None
    assert found.metrics.port == 9900
    assert found.pool.command_tokens == "/etc/sheepfold/shepherd/commands.d"


# Secrets


def test_secrets_are_what_the_shepherd_alone_may_read(evaluate: Evaluate) -> None:
    files = evaluate("{{ shepherd__secret_files }}", shepherd_monitoring=ICINGA)
    assert {each["path"]: each["content"] for each in files} == {
        "/etc/sheepfold/shepherd/commands.d/f220": "token-of-f220\n",
        "/etc/sheepfold/shepherd/commands.d/f221": "token-of-f221\n",
        "/etc/sheepfold/shepherd/icinga-password": "word\n",
    }
    *tokens, password = [(each["mode"], each.get("owner", "root"), each["group"]) for each in files]
    # What HTCondor asks of a token's file.
    assert set(tokens) == {("0400", "shepherd", "shepherd")}
    assert password == ("0640", "root", "shepherd")
    sources = evaluate("{{ shepherd__secret_sources }}", shepherd_monitoring=ICINGA)
    assert sources == ["/etc/sheepfold/pool/commands.d/f220", "/etc/sheepfold/pool/commands.d/f221", "/root/icinga"]


def test_secrets_that_this_run_would_issue_are_foretold(evaluate: Evaluate) -> None:
    files = evaluate("{{ shepherd__secret_files }}", shepherd__secrets={"rc": 1, "stdout_lines": ["token-of-f220"]})
    assert [each["content"] for each in files] == ["issued by this run\n"] * 2


# HTCondor


def test_rights(template: Evaluate) -> None:
    values = {
        name.strip(): value.strip()
        for name, _, value in (line.partition(" = ") for line in template("62-flock-shepherd.conf.j2").splitlines())
        if value and not name.startswith("#")
    }
    assert values.pop("FLOCK_SHEPHERD") == "shepherd@$(UID_DOMAIN)"
    assert set(values) == {"COLLECTOR.ALLOW_ADMINISTRATOR", "FLOCK_COLLECTOR.ALLOW_READ", "SCHEDD.ALLOW_READ"}
    assert all(value.endswith(" $(FLOCK_SHEPHERD)") and value.startswith("$(") for value in values.values()), "lists are extended"


# The engine and its command


@pytest.fixture
def installed(evaluate: Evaluate, template: Evaluate, tmp_path: Path) -> Path:
    """The command, with the engine where it looks for it."""
    engine = evaluate(
        "{{ shepherd__engine }}", shepherd__lib=str(tmp_path / "lib"), shepherd_state_directory=str(tmp_path / "state")
    )
    for directory in engine["directories"]:
        Path(directory["path"]).mkdir(parents=True, exist_ok=True)
    for file in engine["files"]:
        Path(file["path"]).write_text(file["content"])
    program = tmp_path / "shepherd"
    program.write_text(template("shepherd.j2", shepherd__lib=str(tmp_path / "lib"), shepherd__python=shutil.which("python3")))
    program.chmod(0o755)
    return program


def test_the_engine_is_the_collections_code_to_the_letter(evaluate: Evaluate) -> None:
    engine = evaluate("{{ shepherd__engine }}")
    package = "/usr/local/lib/sheepfold/shepherd/sheepfold_engine/"
    there = {each["path"].removeprefix(package): each["content"] for each in engine["files"]}
    del there["__init__.py"]
    source = ROOT / "plugins" / "module_utils"
    paths = [path for part in ("condor", "host", "shepherd") for path in (source / part).rglob("*.py")]
    here = {str(path.relative_to(source)): path.read_text() for path in paths}
    assert there == here
    assert any("{{" in text for text in here.values()), "what looks like a template is in it, and is none"
    exclusive = {each["path"] for each in engine["directories"] if each.get("exclusive")}
    assert {package.rstrip("/"), package + "condor", package + "shepherd"} <= exclusive


def _run(program: Path, *arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False, cwd=directory)


def test_the_command_runs_from_anywhere_and_loads_nothing_from_there(installed: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "json.py").write_text("raise SystemExit('loaded from the directory of the caller')\n")
    (tmp_path / "state").chmod(0o755)
    configuration = elsewhere / "shepherd.json"
    configuration.write_text(json.dumps({"state_directory": str(tmp_path / "state"), "pool": {"command_tokens": ""}}))
    done = _run(installed, "--config", str(configuration), "check-config", "--offline", directory=elsewhere)
    assert (done.returncode, done.stdout, done.stderr) == (0, "configuration is valid\n", "")
    configuration.write_text(json.dumps({"settings": {"reserve": 2}}))
    done = _run(installed, "--config", str(configuration), "check-config", "--offline", directory=elsewhere)
    assert (done.returncode, done.stderr) == (2, "shepherd: reserve is 2: expected a share from 0 to 1.\n")


def test_a_cycle_by_root_is_the_daemons_users(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("id", "echo 0"), ("setpriv", 'echo setpriv "$@"')):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    done = _run(installed, "cycle", "--json", directory=tmp_path)
    assert done.stdout.startswith("setpriv --reuid=shepherd --regid=shepherd --init-groups ")
    assert done.stdout.endswith(" -m sheepfold_engine.shepherd.cli.main cycle --json\n")
    done = _run(installed, "--help", directory=tmp_path)
    assert "setpriv" not in done.stdout
