"""Modules shepherd and queue_info on a site in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CommandFailed, NoAnswer
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.queues import IdleGroup
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.configuration import Configuration
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cycle import CycleRunner
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.state.leader_lock import LeaderLock
from ansible_collections.sheepfold.htcondor.plugins.modules import queue_info, shepherd
from fake_site import FLOCK, NOW, FakeSite

Run = Callable[..., dict[str, Any]]
SETTINGS = {"dwell": 0, "low_cycles": 1, "reserve": 0.5, "collector_age": 60, "out_share": 1.0}


class Runner:
    """Both modules on one site."""

    def __init__(self, run_module: Run, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self._run = run_module
        self.site = FakeSite(directory)
        self.directory = directory
        self.asked: list[Configuration] = []

        def prepare(configuration: Configuration, **options: Any) -> CycleRunner:
            self.asked.append(configuration)
            return CycleRunner(configuration, pool=self.site.pool(), queues=self.site, make=self.site.pool, **options)

        monkeypatch.setattr(shepherd, "prepare", prepare)
        monkeypatch.setattr(queue_info, "pool", lambda params: self.site.pool())
        monkeypatch.setattr(queue_info, "bindings_of", lambda deadline: None)
        monkeypatch.setattr(queue_info, "queues", lambda deadline, bindings: self.site)

    def shepherd(self, **arguments: Any) -> dict[str, Any]:
        self.site.time += 300
        for schedd in self.site.schedds:
            schedd["LastHeardFrom"] = int(self.site.time) - 5
        return self._run(shepherd.main, **{"settings": SETTINGS, "state_directory": str(self.directory), **arguments})

    def queue(self, **arguments: Any) -> dict[str, Any]:
        return self._run(queue_info.main, **arguments)


@pytest.fixture
def modules(run_module: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runner:
    return Runner(run_module, monkeypatch, tmp_path / "state")


def test_a_cycle_as_planned(modules: Runner) -> None:
    first = modules.shepherd()
    assert not first["changed"] and not first.get("failed") and modules.site.calls == []
    foreseen = modules.shepherd(_ansible_check_mode=True)
    assert foreseen["changed"] and modules.site.calls == []
    modules.site.time -= 300
    done = modules.shepherd()
    assert done["changed"] and len(modules.site.calls) == 1
    assert done["diff"] == foreseen["diff"]
    (name,) = [node["name"] for node in done["nodes"] if node["actions"]]
    assert done["diff"]["before"][name] == {"state": "local", "open_until": 0}
    assert done["diff"]["after"][name] == {"state": "draining local", "open_until": 0}
    opened = modules.shepherd()
    assert opened["diff"]["after"][name] == {"state": "flock", "open_until": NOW + 900 + 900}
    assert opened["cycle"]["reserve_cores"] == 4 and opened["failed_commands"] == []
    renewed = modules.shepherd()
    assert renewed["changed"] and renewed["diff"]["after"][name] == {"state": "flock", "open_until": NOW + 1200 + 900}


def test_nothing_to_do_changes_nothing(modules: Runner) -> None:
    modules.site.schedds = [modules.site.schedd("submit.test", 50)]
    modules.site.queue["submit.test"] = [IdleGroup(50, 1, "[x]")]
    for result in (modules.shepherd(), modules.shepherd(_ansible_check_mode=True), modules.shepherd()):
        assert not result["changed"] and result["diff"]["before"] == result["diff"]["after"]


def test_a_command_that_fails_is_no_change_and_no_end(modules: Runner) -> None:
    modules.shepherd()
    modules.site.broken = {name: NoAnswer("condor_drain had no answer") for name in modules.site.nodes}
    result = modules.shepherd()
    assert not result.get("failed") and not result["changed"]
    (failed,) = result["failed_commands"]
    assert failed == {"node": failed["node"], "command": "drain", "error": "condor_drain had no answer"}
    assert result["diff"]["before"] == result["diff"]["after"]


def test_beside_a_daemon_it_does_nothing(modules: Runner) -> None:
    modules.shepherd()
    lock = LeaderLock(modules.directory / "lock")
    assert lock.acquire()
    try:
        result = modules.shepherd()
        assert result["failed"] and "is the shepherd now" in result["msg"] and len(modules.asked) == 1
        # Looking is free.
        assert not modules.shepherd(_ansible_check_mode=True).get("failed")
    finally:
        lock.release()
    assert not modules.shepherd().get("failed")


def test_the_options_reach_the_cycle(modules: Runner) -> None:
    modules.shepherd(
        collector="c",
        flock_collector=FLOCK,
        command_tokens="/t",
        transport="bindings",
        timeout=3,
        stale_after=4,
        settle=5,
        access_points=["submit.test"],
        foreign_domains=["x"],
    )
    (asked,) = modules.asked
    pool = asked.pool
    assert (pool.collector, pool.flock_collector, pool.command_tokens, pool.transport) == ("c", FLOCK, "/t", "bindings")
    assert (pool.timeout, pool.stale_after, pool.settle) == (3, 4, 5)
    assert (asked.scope.access_points, asked.scope.foreign_domains) == (("submit.test",), ("x",))
    assert asked.settings.reserve == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"settings": {"reserve": 2}}, "reserve is 2: expected a share from 0 to 1."),
        ({"settings": {"speed": 2}}, "speed is 2: expected no such setting (there are "),
        ({"timeout": 0}, "timeout is 0: expected a number of seconds above 0"),
        ({"state_directory": "/proc/nowhere"}, "state_directory is /proc/nowhere: expected a directory to write to ("),
    ],
)
def test_bad_options_end_it_before_anything_is_asked(modules: Runner, arguments: dict[str, Any], message: str) -> None:
    result = modules.shepherd(**arguments)
    assert result["failed"] and result["msg"].startswith(message) and modules.asked == []


def test_a_collector_that_does_not_answer(modules: Runner) -> None:
    modules.site.unanswered = CommandFailed(["condor_status", "-x"], 1, "", "no route")
    result = modules.shepherd()
    assert result["failed"] and result["msg"] == "the pool cannot be seen: condor_status failed with rc 1 and said: no route"


def test_queue_info(modules: Runner) -> None:
    site = modules.site
    site.schedds = [site.schedd("submit.test", 7), site.schedd("far.test", 1, identity="x@far")]
    site.queue["submit.test"] = [IdleGroup(5, 2, "[a]", NOW - 50), IdleGroup(2, 8, "[b]")]
    site.machines = [frozenset({"p221.test", "p220.test"}), None]
    found = modules.queue(foreign_domains=["far"])
    # Ansible before 2.20 adds what the module was called with.
    found.pop("invocation", None)
    assert found == {
        "changed": False,
        "access_points": [{"name": "submit.test", "heard": NOW - 5, "idle_jobs": 7}],
        "idle": [
            {"access_point": "submit.test", "jobs": 5, "cores": 2, "since": NOW - 50, "machines": ["p220.test", "p221.test"]},
            {"access_point": "submit.test", "jobs": 2, "cores": 8, "since": 0, "machines": None},
        ],
        "jobs": 7,
        "cores": 26,
        "unknown": [],
    }
    site.queue["submit.test"] = NoAnswer("hung")
    assert "hung" in modules.queue(access_points=["submit.test"])["unknown"][0]
