"""Modules startd and startd_info as a whole: exact calls, check, diff, second run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CommandFailed, CondorError
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import Startd, State
from ansible_collections.sheepfold.htcondor.plugins.modules import startd, startd_info
from fake_condor import NOW, FakePool, flocking, regular

Run = Callable[..., dict[str, Any]]


class Runner:
    """Both modules on one fake pool."""

    def __init__(self, run_module: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        self._run = run_module
        self._monkeypatch = monkeypatch
        self.fake = FakePool()

    def use(self, *startds: Startd, **options: Any) -> FakePool:
        self.fake = FakePool(*startds, **options)
        for module in (startd, startd_info):
            self._monkeypatch.setattr(module, "pool", lambda params: self.fake)
        self._monkeypatch.setattr(startd.time, "sleep", self.fake.sleep)
        self._monkeypatch.setattr(startd.time, "monotonic", self.fake.clock)
        return self.fake

    def startd(self, **arguments: Any) -> dict[str, Any]:
        return self._run(startd.main, **arguments)

    def info(self, **arguments: Any) -> dict[str, Any]:
        return self._run(startd_info.main, **arguments)


@pytest.fixture
def modules(run_module: Run, monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(run_module, monkeypatch)


def test_check_run_and_second_run_agree(modules: Runner) -> None:
    pool = modules.use(regular("p1"), regular("p2"))
    wish = {"name": ["p1"], "state": "drained"}
    foreseen = modules.startd(**wish, _ansible_check_mode=True)
    assert foreseen["changed"] and pool.calls == []
    done = modules.startd(**wish)
    assert pool.calls == [("p1", "drain (peaceful)")]
    diff = {
        "before": {"p1": {"state": "on", "open_until": 0}},
        "after": {"p1": {"state": "drained", "open_until": 0}},
    }
    assert done["diff"] == foreseen["diff"] == diff
    (result,) = done["startds"]
    assert (result["name"], result["before"], result["state"]) == ("p1", "on", "drained")
    assert result["actions"] == ["drain (peaceful)"] and result["reached"] and result["error"] == ""
    assert result["drain_reason"] == f"sheepfold/{NOW}"
    for options in ({}, {"_ansible_check_mode": True}):
        again = modules.startd(**wish, **options)
        assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"]
    assert len(pool.calls) == 1


def test_a_lease_is_renewed_below_its_half_only(modules: Runner) -> None:
    pool = modules.use(flocking(), regular(state=State.DRAINED))
    wish = {"name": ["f220"], "state": "on", "lease": 100}
    assert modules.startd(**wish)["changed"]
    assert not modules.startd(**wish)["changed"]
    pool.time += 60
    renewed = modules.startd(**wish)
    assert renewed["changed"] and pool.calls == [("f220", "open for 100 s")] * 2
    assert renewed["diff"]["before"] != renewed["diff"]["after"]


def test_on_and_off_are_words_also_when_yaml_made_them_truth_values(modules: Runner) -> None:
    modules.use(regular())
    assert modules.startd(name=["p220"], state=False)["startds"][0]["state"] == "off"
    assert modules.startd(name=["p220"], state=True)["startds"][0]["state"] == "on"


def test_how_and_reason_are_handed_on(modules: Runner) -> None:
    pool = modules.use(regular(busy=2))
    result = modules.startd(name=["p220"], state="drained", how="fast", reason="shepherd")
    assert pool.calls == [("p220", "drain (fast)")]
    assert result["startds"][0]["drain_reason"].startswith("shepherd/")


def test_a_refusal_fails_and_names_all(modules: Runner) -> None:
    pool = modules.use(regular("p1", State.UNKNOWN, why="old"), regular("p2", State.DRAINED, drain_reason="disks"), regular("p3"))
    result = modules.startd(name=["p*"], state="on")
    assert result["failed"] and not result["changed"] and pool.calls == []
    assert result["msg"] == (
        "the state of p1 is unknown: old; p2 was drained by somebody else (its reason is 'disks', ours begin with "
        "'sheepfold'); force is needed to cancel that"
    )


def test_not_to_be_seen_there_in_time_fails(modules: Runner) -> None:
    modules.use(flocking(state=State.ON, busy=3), regular(state=State.DRAINED))
    result = modules.startd(name=["f220"], state="drained", wait=4)
    assert result["failed"] and result["changed"]
    assert result["msg"] == "f220 was not observed there within 4 s, it is draining with 3 busy slots"


def test_without_waiting_nothing_is_claimed(modules: Runner) -> None:
    modules.use(regular())
    result = modules.startd(name=["p220"], state="off", wait=0)
    assert not result.get("failed") and result["changed"] and not result["startds"][0]["reached"]


def test_names_that_nobody_has_end_it_before_anything_is_sent(modules: Runner) -> None:
    pool = modules.use(regular("p1"), flocking("f1"))
    result = modules.startd(name=["p1", "p9", "x*"], state="off")
    assert result["msg"] == "name is p9, x*: expected startds that the collector knows, and it knows p1, f1"
    assert pool.calls == []


def test_a_clock_that_is_off_is_warned_of(modules: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where a test before has loaded the controller's code, Ansible displays warnings and returns none.
    warnings: list[str] = []
    monkeypatch.setattr(startd.AnsibleModule, "warn", lambda self, warning: warnings.append(warning))
    modules.use(flocking(clock_offset=-700), regular(state=State.DRAINED))
    modules.startd(name=["f220"], state="on", _ansible_check_mode=True)
    assert any("the clock of f220 is -700 s off" in warning for warning in warnings)


def test_a_collector_that_does_not_answer(modules: Runner) -> None:
    pool = modules.use(regular())
    pool.unanswered = CommandFailed(["condor_status", "-x"], 1, "", "no route")
    for result in (modules.startd(name=["p220"], state="on"), modules.info()):
        assert result["failed"] and result["msg"] == "condor_status failed with rc 1 and said: no route"
        assert (result["cmd"], result["rc"], result["stderr"]) == (["condor_status", "-x"], 1, "no route")
    pool.unanswered = CondorError("gone")
    assert modules.info()["msg"] == "gone"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("lease", 0, "lease is 0: expected a number of seconds above 0"),
        ("wait", -1, "wait is -1: expected a number of seconds, 0 or more"),
        ("reason", "", "reason is empty: expected a word that marks our drains"),
        ("timeout", 0, "timeout is 0: expected a number of seconds above 0"),
        ("stale_after", -5, "stale_after is -5: expected a number of seconds above 0"),
        ("settle", -1, "settle is -1: expected a number of seconds, 0 or more"),
    ],
)
def test_bad_options_end_it_before_anything_is_asked(modules: Runner, option: str, value: object, message: str) -> None:
    pool = modules.use(regular())
    assert modules.startd(name=["p220"], state="off", **{option: value})["msg"] == message
    assert pool.looks == 0


def test_info(modules: Runner) -> None:
    modules.use(regular("p1"), flocking("f1", State.ON, busy=1), regular("p2"))
    result = modules.info(name=["?1", "z9"])
    assert [each["name"] for each in result["startds"]] == ["p1", "f1"]
    assert result["startds"][1] == {
        "name": "f1",
        "machine": "f1.test",
        "flocking": True,
        "flock_host": "p1",
        "state": "on",
        "why": "",
        "busy": 1,
        "open_until": NOW + 900,
        "drain_reason": "",
        "clock_offset": 0,
    }
    assert result["missing"] == ["z9"] and result["conflicts"] == ["f1"] and not result["changed"]


def test_the_options_reach_the_adapter(run_module: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def connect(**options: Any) -> FakePool:
        asked.update(options)
        return FakePool(regular())

    monkeypatch.setattr("ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.options.connect", connect)
    run_module(
        startd_info.main,
        collector="c",
        flock_collector="f",
        command_tokens="/t",
        transport="bindings",
        timeout=3,
        stale_after=4,
        settle=5,
    )
    policy = asked.pop("policy")
    assert (policy.stale, policy.settle) == (4, 5)
    assert asked == {"collector": "c", "flock_collector": "f", "tokens": "/t", "deadline": 3.0, "bindings": True}
