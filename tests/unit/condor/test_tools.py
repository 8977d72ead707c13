"""The exact command lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor import adapter as adapter_module
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor import commands, tools
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.adapter import Pool, connect
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CommandFailed, CondorError, NotEmpty
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import Goal, How, StartdCommand, StartdGoal, Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.tools import Tools
from fake_condor import NOW, flocking, regular


class Recorder:
    """Takes the place of ``run``: notes commands, answers as told."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.settings: list[Mapping[str, str]] = []
        self.files: list[str] = []
        self.answers: list[str | CommandFailed] = []

    def __call__(self, command: Sequence[str], deadline: float, settings: Mapping[str, str] | None = None) -> str:
        assert deadline <= 7
        self.commands.append(list(command))
        self.settings.append(settings or {})
        self.files += [Path(word).read_text() for word in command if word.endswith(".ad")]
        answer = self.answers.pop(0) if self.answers else ""
        if isinstance(answer, CommandFailed):
            raise answer
        return answer


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    monkeypatch.setattr(tools, "run", made)
    return made


@pytest.mark.parametrize(
    ("action", "command"),
    [
        (
            StartdCommand(Verb.DRAIN, How.PEACEFUL),
            ["condor_drain", "-reason", f"sheepfold/{NOW}", "-graceful", "-check", commands.EMPTY, "p220.test"],
        ),
        (StartdCommand(Verb.DRAIN, How.GRACEFUL), ["condor_drain", "-reason", f"sheepfold/{NOW}", "-graceful", "p220.test"]),
        (StartdCommand(Verb.DRAIN, How.FAST), ["condor_drain", "-reason", f"sheepfold/{NOW}", "-fast", "p220.test"]),
        (StartdCommand(Verb.CANCEL_DRAIN), ["condor_drain", "-cancel", "p220.test"]),
        (StartdCommand(Verb.START), ["condor_on", "-startd", "-name", "p220.test"]),
        (StartdCommand(Verb.STOP, How.PEACEFUL), ["condor_off", "-startd", "-peaceful", "-name", "p220.test"]),
        (StartdCommand(Verb.STOP, How.FAST), ["condor_off", "-startd", "-fast", "-name", "p220.test"]),
        (StartdCommand(Verb.VACATE, How.GRACEFUL), ["condor_vacate", "-graceful", "-name", "p220.test"]),
        (StartdCommand(Verb.VACATE, How.FAST), ["condor_vacate", "-fast", "-name", "p220.test"]),
    ],
)
def test_commands_to_a_regular_startd(recorder: Recorder, action: StartdCommand, command: list[str]) -> None:
    Pool(Tools(7), clock=lambda: NOW).act(regular(), action, Goal(StartdGoal.ON))
    assert recorder.commands == [command]
    assert recorder.settings == [{}]


def test_a_lease_is_merged_with_the_containers_own_token(recorder: Recorder, tmp_path: Path) -> None:
    pool = Pool(Tools(7, str(tmp_path)), clock=lambda: NOW)
    startd = flocking(collector="10.0.0.1:9618?sock=flock_collector")
    pool.act(startd, StartdCommand(Verb.OPEN, lease=60), Goal(StartdGoal.ON))
    pool.act(startd, StartdCommand(Verb.CLOSE), Goal(StartdGoal.DRAINED))
    expected = ["condor_update_machine_ad", "-pool", "10.0.0.1:9618?sock=flock_collector", "-name", "f220.test"]
    assert [command[:-1] for command in recorder.commands] == [expected, expected]
    assert recorder.files == [f"FlockOpenUntil = {NOW + 60}\n", "FlockOpenUntil = 0\n"]
    assert recorder.settings == [{"_CONDOR_SEC_TOKEN_DIRECTORY": str(tmp_path)}] * 2
    # Not left behind.
    assert not Path(recorder.commands[0][-1]).exists()


def test_the_containers_tokens_are_for_flocking_startds_alone(recorder: Recorder, tmp_path: Path) -> None:
    Tools(7, str(tmp_path)).start(regular())
    Tools(7, str(tmp_path / "missing")).start(flocking())
    assert recorder.settings == [{}, {}]


def test_a_refused_drain_is_not_tried_again(recorder: Recorder) -> None:
    recorder.answers = [CommandFailed(["condor_drain"], 1, "", "error code 10003: Draining check expression is false on slot1")]
    with pytest.raises(NotEmpty, match="p220 runs something"):
        Tools(7).drain(regular(), How.PEACEFUL, "x")
    assert len(recorder.commands) == 1


def test_any_other_failure_is_tried_once_more(recorder: Recorder) -> None:
    failure = CommandFailed(["condor_on"], 1, "", "Can't find address for master")
    recorder.answers = [failure, "Sent"]
    Tools(7).start(regular())
    recorder.answers = [failure, failure]
    with pytest.raises(CommandFailed):
        Tools(7).start(regular())
    assert len(recorder.commands) == 4


def test_queries_ask_for_their_attributes_only(recorder: Recorder) -> None:
    recorder.answers = ['[{"Name": "slot1@p220.test"}]']
    assert Tools(7).query("c:9618", "Slot", ["Name", "State"], "X =!= 1") == [{"Name": "slot1@p220.test"}]
    assert recorder.commands == [
        ["condor_status", "-pool", "c:9618", "-slots", "-json", "-attributes", "Name,State", "-constraint", "X =!= 1"]
    ]
    assert Tools(7).query("", "Master", ["Name"]) == []
    recorder.answers = ["Error: communication error"]
    with pytest.raises(CondorError, match="not JSON"):
        Tools(7).query("", "Master", ["Name"])


def test_an_ad_with_lists_as_deep_as_htcondor_reads_hides_no_other(recorder: Recorder) -> None:
    """A foreign job may have such a value in an attribute that the startd puts into its slot's ad."""
    deep, p220 = "[" * 998 + "1" + "]" * 998, '{"Name": "slot1@p220.test"}'
    recorder.answers = [f'[{{"Name": "slot1_1@f220.test", "MaxWallTimeMins": {deep}}}, {p220}]']
    limit = sys.getrecursionlimit()
    names = [ad["Name"] for ad in Tools(7).query("c:9618", "Slot", ["Name", "MaxWallTimeMins"])]
    assert (names, sys.getrecursionlimit()) == (["slot1_1@f220.test", "slot1@p220.test"], limit)
    recorder.answers = ["[" * 200_000]
    with pytest.raises(CondorError, match="not JSON"):
        Tools(7).query("c:9618", "Slot", ["Name"])


def test_copies_are_asked_for_only_where_there_is_nothing_better(recorder: Recorder) -> None:
    Pool(Tools(7)).observe()
    assert not any("FlockMirrored" in word for command in recorder.commands for word in command)
    recorder.commands.clear()
    Pool(Tools(7), flock_collector="f:9618").observe()
    asked = [(command[-1] == "FlockMirrored =!= true", "f:9618" in command) for command in recorder.commands]
    # Slots of both, then masters and the collector itself, of one after the other.
    assert asked == [(True, False), (False, True), (True, False), (False, False), (False, True), (False, True)]


def test_one_of_several_collectors_is_asked_for_everything(recorder: Recorder) -> None:
    Pool(Tools(7), collector="a:9618, b:9618", clock=lambda: NOW).observe()
    assert [command[:3] for command in recorder.commands[2:]] == [["condor_status", "-pool", "a:9618"]] * 3


def test_the_flocks_collector_comes_from_the_configuration(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder.answers = ["127.0.0.1:9618?sock=flock_collector\n"]
    assert connect(collector="c", deadline=7).flock_collector == "127.0.0.1:9618?sock=flock_collector"
    recorder.answers = [CommandFailed(["condor_config_val"], 1, "", "Not defined: FLOCK_COLLECTOR_HOST")]
    assert connect(collector="c", deadline=7).flock_collector == ""
    recorder.answers = [CommandFailed(["condor_config_val"], 1, "", "ERROR: cannot read configuration")]
    with pytest.raises(CommandFailed):
        connect(deadline=7)
    monkeypatch.setattr(adapter_module, "flock_collector_of_this_host", lambda deadline: pytest.fail("asked"))
    assert connect(flock_collector="", deadline=7).flock_collector == ""
