"""The site's rules on what may run."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute import admission, settings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.errors import REFUSED, SwitchError


class Job:
    """A job as the rules see it."""

    number = "12.0"
    global_id = "submit#12.0#1"
    slot = "slot1_1"

    def __init__(self, user: str = "alice@sips", sandbox: str = "/var/lib/condor/execute/dir_7", known: bool = True) -> None:
        self.user = user
        self.owner = user.partition("@")[0]
        self.sandbox = sandbox
        self._known = known

    def known(self) -> bool:
        return self._known


SENT = "/var/lib/condor/execute/dir_7/job.sh"


@pytest.mark.parametrize(
    ("rules", "user", "executable", "word"),
    [
        ("", "alice@sips", SENT, ""),
        ("admission_refused_user = alice", "alice@sips", SENT, "admission_refused_user"),
        ("admission_refused_user = *@sips", "alice@sips", SENT, "admission_refused_user"),
        ("admission_refused_user = alice@elsewhere", "alice@sips", SENT, ""),
        ("admission_user = bob\nadmission_user = alice@sips", "alice@sips", SENT, ""),
        ("admission_user = bob", "alice@sips", SENT, "admission_user"),
        ("admission_user = alice\nadmission_refused_user = alice", "alice@sips", SENT, "admission_refused_user"),
        ("admission_executables = local", "alice@sips", SENT, "admission_executables"),
        ("admission_executables = local", "alice@sips", "/usr/bin/env", ""),
        ("admission_pattern = /usr/*", "alice@sips", "/usr/bin/env", ""),
        ("admission_pattern = /opt/*", "alice@sips", "/usr/bin/env", "admission_pattern"),
    ],
)
def test_each_rule_refuses_what_it_names(rules: str, user: str, executable: str, word: str) -> None:
    reason = admission.refusal(settings.parse(rules), Job(user), executable)
    assert (word in reason) if word else reason == ""


def test_the_startd_is_not_asked_without_a_rule_on_users() -> None:
    class Unasked(Job):
        def __init__(self) -> None:
            self.sandbox = "/var/lib/condor/execute/dir_7"

        def __getattr__(self, name: str) -> str:
            raise AssertionError(f"{name} was asked for")

    rules = "admission_executables = local\nadmission_pattern = /usr/*"
    assert admission.refusal(settings.parse(rules), Unasked(), "/usr/bin/env") == ""


def test_a_way_round_a_pattern_is_the_way_it_leads(tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "shell").symlink_to("/bin/sh")
    known = settings.parse(f"admission_pattern = {tmp_path}/allowed/*")
    assert admission.refusal(known, Job(), str(tmp_path / "allowed" / "shell"))
    assert admission.refusal(known, Job(), str(tmp_path / "allowed" / ".." / "other"))


@pytest.mark.parametrize("rule", ["admission_user = *", "admission_refused_user = bob"])
def test_who_is_not_known_is_not_let_through_rules_on_users(rule: str) -> None:
    assert "not known" in admission.refusal(settings.parse(rule), Job("unknown", known=False), "/bin/true")


def _plugin(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_the_plug_in_decides_last_and_says_why(tmp_path: Path) -> None:
    known = settings.parse(f"admission_plugin = {_plugin(tmp_path / 'ask', 'echo not on Mondays for $SHEEPFOLD_USER; exit 1')}")
    with pytest.raises(SwitchError, match="not on Mondays for alice@sips") as raised:
        admission.check(known, Job(), "/bin/true")
    assert raised.value.code == REFUSED
    known.admission_plugin = _plugin(tmp_path / "yes", "exit 0")
    admission.check(known, Job(), "/bin/true")


@pytest.mark.parametrize("text", ["sleep 60", "(sleep 60 &)", "kill -9 $$", "exit 3"])
def test_anything_but_a_yes_is_a_no(tmp_path: Path, text: str) -> None:
    known = settings.parse(f"admission_plugin_timeout = 1\nadmission_plugin = {_plugin(tmp_path / 'ask', text)}")
    with pytest.raises(SwitchError, match="admission_plugin"):
        admission.check(known, Job(), "/bin/true")


def test_a_plug_in_that_is_not_there_is_a_no(tmp_path: Path) -> None:
    with pytest.raises(SwitchError, match="cannot be asked"):
        admission.check(settings.parse(f"admission_plugin = {tmp_path}/none"), Job(), "/bin/true")
