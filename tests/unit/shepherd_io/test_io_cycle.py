"""Whole cycles on a site in memory: what is sent, in which order, and what is left on the disk."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError, NoAnswer
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.queues import IdleGroup
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import Startd
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.act.monitoring import MonitoringError
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cycle import CycleRunner, Report
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import NodeGoal, PairState
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.state.state_file import Kept, MemoryFile
from fake_site import NOW, FakeSite


def states(report: Report) -> dict[str, PairState]:
    assert report.decisions is not None, report.error
    return {decision.node: decision.state for decision in report.decisions.nodes}


def after(site: FakeSite, cycle: CycleRunner, count: int = 1) -> Report:
    """Run cycles, five minutes apart, the verification always fresh."""
    report = Report()
    for _ in range(count):
        site.later()
        report = cycle.run()
    return report


def lent(site: FakeSite, cycle: CycleRunner) -> str:
    """Let one of both nodes go out; its name."""
    after(site, cycle, 3)
    (name,) = [node.name for node in site.nodes.values() if node.open_until]
    return name


def test_one_goes_out_and_the_other_is_the_reserve(site: FakeSite) -> None:
    cycle = site.cycle()
    first = after(site, cycle)
    assert set(states(first).values()) == {PairState.LOCAL}
    assert site.calls == []  # Nothing is remembered: an ad of before may be older than a command of before.
    after(site, cycle)
    (call,) = site.calls
    name = call.split()[0]
    assert call == f"{name} drain peaceful shepherd/{NOW + 600}:flock"
    after(site, cycle)
    assert site.calls[1:] == [f"f{name[1:]} open until {900 + 900}"]
    report = after(site, cycle)
    assert states(report)[name] is PairState.FLOCK
    assert sorted(states(report).values(), key=str) == [PairState.FLOCK, PairState.LOCAL]
    assert report.decisions is not None and report.decisions.cycle.reserve_cores == 4


def test_local_work_brings_it_back_without_harm(site: FakeSite) -> None:
    cycle = site.cycle()
    name = lent(site, cycle)
    other = next(node for node in site.nodes.values() if node.name != name)
    other.local = [4]
    site.nodes[name].foreign = [{"Cpus": 1, "JobStart": int(site.time), "AllowedJobDuration": 700}]
    site.schedds = [site.schedd("submit.test", 4)]
    site.queue["submit.test"] = [IdleGroup(4, 1, "[x]")]
    site.calls.clear()
    after(site, cycle)
    assert site.calls == [f"f{name[1:]} close"]
    after(site, cycle)
    assert site.calls[1:] == []  # It has until its declared end.
    after(site, cycle)
    assert site.calls[1:] == [f"f{name[1:]} vacate graceful"]
    after(site, cycle)
    assert site.calls[2:] == [f"{name} cancel"]
    report = after(site, cycle)
    assert set(states(report).values()) == {PairState.LOCAL} and other.local == [4]


def test_plan_sends_saves_and_logs_nothing(site: FakeSite) -> None:
    cycle = site.cycle()
    after(site, cycle)
    before = cycle.file.path.read_bytes()
    site.lines.clear()
    site.time += 300
    site.schedds = [site.schedd("submit.test")]
    report = cycle.run(plan=True)
    assert report.decisions is not None
    assert [str(action.verb) for decision in report.decisions.nodes for action in decision.actions] == [str(Verb.DRAIN)]
    assert site.calls == [] and site.lines == [] and cycle.file.path.read_bytes() == before


def test_the_memory_is_on_the_disk_before_anything_is_sent(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    cycle = site.cycle()
    after(site, cycle)
    on_disk: list[Verb | None] = []
    drain = site.drain

    def watched(startd: Startd, *rest: Any) -> None:
        on_disk.append(cycle.file.read()[0].memory.nodes[startd.name].pending)
        drain(startd, *rest)

    monkeypatch.setattr(site, "drain", watched)
    after(site, cycle)
    assert on_disk == [Verb.DRAIN]
    assert cycle.file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in site.directory.iterdir()] == ["memory.json"]


def test_nothing_is_sent_without_a_memory_on_the_disk(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    cycle = site.cycle()
    after(site, cycle)

    def full(kept: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cycle.file, "write", full)
    report = after(site, cycle)
    assert site.calls == [] and report.results == ()
    assert any("nothing is sent: the memory cannot be saved" in problem and "No space" in problem for problem in report.problems)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 2}', '{"version": 1}', '{"version": 1, "memory": 7, "results": 1}', "\0"]
)
def test_a_broken_memory_is_an_empty_one(site: FakeSite, text: str) -> None:
    cycle = site.cycle()
    cycle.file.path.write_text(text)
    report = after(site, cycle)
    assert any("begun with an empty one" in problem for problem in report.problems)
    assert report.error == "" and json.loads(cycle.file.path.read_text())["version"] == 1
    assert after(site, cycle).problems == ()


def test_the_memory_comes_back_as_it_was(site: FakeSite) -> None:
    cycle = site.cycle()
    lent(site, cycle)
    kept, problem = MemoryFile(cycle.file.path).read()
    assert problem == "" and kept.memory.nodes and cycle.file.read() == (kept, "")
    # Another process takes up from there.
    again = after(site, site.cycle())
    assert sorted(states(again).values(), key=str) == [PairState.FLOCK, PairState.LOCAL]


def test_a_memory_that_somebody_else_has_replaced_is_read(site: FakeSite) -> None:
    cycle = site.cycle()
    after(site, cycle)
    assert cycle.file.read()[0].memory.nodes
    cycle.file.path.write_text("{")
    assert not cycle.file.read()[0].memory.nodes
    cycle.file.path.unlink()
    assert cycle.file.read() == (Kept(), "")


def test_a_collector_started_by_a_clock_that_was_ahead_is_believed_in_time(site: FakeSite) -> None:
    site.collector_started = NOW + 20_000
    cycle = site.cycle()
    held = after(site, cycle)
    assert held.decisions is not None and "listens only since 0 s" in " ".join(held.decisions.cycle.frozen)
    # Another process takes up from there, too.
    report = after(site, site.cycle(), 4)
    assert report.decisions is not None and report.decisions.cycle.frozen == ()


def test_results_reach_the_next_cycle_and_a_failing_node_is_left(site: FakeSite) -> None:
    site.broken = {name: NoAnswer("condor_drain had no answer within 7 s and was ended") for name in site.nodes}
    cycle = site.cycle()
    report = after(site, cycle, 2)
    (result,) = report.results
    assert result.error.startswith("condor_drain had no answer") and not result.refused
    report = after(site, cycle)
    assert report.after.nodes[result.node].failures == 1
    assert [facts["error"] for event, facts in site.lines if facts.get("node") == result.node and "error" in facts]


def test_a_startd_that_refuses_is_no_failure(site: FakeSite) -> None:
    cycle = site.cycle()
    after(site, cycle)
    drain = site.drain

    def late(startd: Startd, *rest: Any) -> None:
        # A local job is quicker.
        site.nodes[startd.name].local = [1]
        drain(startd, *rest)

    site.drain = late  # type: ignore[method-assign]
    (result,) = after(site, cycle).results
    assert result.refused and site.nodes[result.node].drain_reason == ""
    assert after(site, cycle).after.nodes[result.node].failures == 0


def test_after_a_failure_the_rest_of_a_node_is_not_sent(site: FakeSite) -> None:
    cycle = site.cycle()
    name = lent(site, cycle)
    flocking = f"f{name[1:]}"
    site.nodes[name].foreign = [{"Cpus": 1, "JobStart": int(site.time)}]
    site.broken[flocking] = CondorError("no")
    (site.directory / "flockoff").write_text("mode: evict\n")
    site.calls.clear()
    report = after(site, cycle)
    assert site.calls == [f"{flocking} close"] and len(report.results) == 1
    site.broken.clear()
    site.calls.clear()
    after(site, cycle)
    assert [call.split()[1] for call in site.calls] == ["close", "vacate"]


def test_a_hung_node_does_not_hold_up_the_others(tmp_path: Path) -> None:
    site = FakeSite(tmp_path, *range(1, 9))
    cycle = site.cycle(settings={"reserve": 0.0, "moving_share": 1.0}, pool={"at_once": 2})
    after(site, cycle)
    hung, free = threading.Event(), threading.Event()
    drain = site.drain

    def sometimes(startd: Startd, *rest: Any) -> None:
        if not hung.is_set():
            hung.set()
            assert free.wait(20)
            raise NoAnswer("hung")
        drain(startd, *rest)
        if len(site.calls) == 7:
            free.set()

    site.drain = sometimes  # type: ignore[method-assign]
    report = after(site, cycle)
    assert len(report.results) == 8 and sum(bool(result.error) for result in report.results) == 1


def test_what_there_is_no_time_for_is_no_failure(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    cycle = site.cycle()
    after(site, cycle)
    monkeypatch.setattr(cycle._sender, "send", lambda decisions, seconds, send=cycle._sender.send: send(decisions, -1))
    report = after(site, cycle)
    assert len(report.skipped) == 1 and site.calls == [] and "no time left for 1 nodes" in report.problems[-1]
    assert cycle.file.read()[0].memory.nodes[report.skipped[0]].pending is None
    monkeypatch.undo()
    after(site, cycle)
    assert len(site.calls) == 1


def test_a_pool_that_cannot_be_seen_changes_nothing(site: FakeSite) -> None:
    cycle = site.cycle()
    lent(site, cycle)
    before = cycle.file.path.read_bytes()
    site.unanswered = NoAnswer("condor_status had no answer within 7 s and was ended")
    site.calls.clear()
    report = after(site, cycle)
    assert report.error == "the pool cannot be seen: condor_status had no answer within 7 s and was ended"
    assert site.calls == [] and cycle.file.path.read_bytes() == before and site.lines[-1] == ("cycle", {"error": report.error})


def test_nodes_that_are_not_seen_any_more_are_known_for_a_week(site: FakeSite) -> None:
    cycle = site.cycle()
    after(site, cycle)
    site.nodes["p220"].regular_ad = site.nodes["p220"].flocking_ad = False
    assert states(after(site, cycle))["p220"] is PairState.UNKNOWN
    assert cycle.file.read()[0].cores["p220"] == 4
    site.time += 7 * 86400
    assert "p220" not in states(after(site, cycle))


def test_news_are_logged_once_with_their_reason(site: FakeSite) -> None:
    cycle = site.cycle()
    after(site, cycle, 4)
    site.lines.clear()
    after(site, cycle)
    # The lease is renewed; nothing else happens, and nothing is said of it but the cycle's own line.
    assert [event for event, _facts in site.lines] == ["cycle"] and site.lines[0][1]["sent"] == 1
    site.lines.clear()
    (site.directory / "flockoff").write_text("owner: alice\nreason: power work\n")
    after(site, cycle)
    decisions = {facts["node"]: facts for event, facts in site.lines if event == "decision"}
    assert len(decisions) == 2
    lent_one = next(facts for facts in decisions.values() if facts["actions"])
    assert lent_one["actions"].endswith(": close") and lent_one["wanted"] == "local" and lent_one["reason"]
    assert site.lines[-1][1]["off"] == "switched off by alice: power work"


def test_effects_are_measured(site: FakeSite) -> None:
    cycle = site.cycle()
    reports = [after(site, cycle) for _ in range(4)]
    assert [report.effects for report in reports] == [(), (), (300,), (300,)]


class Watcher:
    """Monitoring that notes what it is told."""

    def __init__(self, site: FakeSite, fail: bool = False) -> None:
        self.site, self.fail = site, fail

    def tells(self, verb: Verb) -> bool:
        return verb is Verb.DRAIN

    def before_off(self, node: str, reason: str) -> str:
        self.site.calls.append(f"silence {node}")
        if self.fail:
            raise MonitoringError("Icinga cannot be asked: refused")
        return f"{node}!1"

    def after_on(self, node: str, silence: str) -> None:
        self.site.calls.append(f"speak {node} {silence}")
        if self.fail:
            raise MonitoringError("Icinga cannot be asked: refused")


def test_monitoring_is_told_before_and_after(site: FakeSite) -> None:
    cycle = site.cycle(Watcher(site))
    name = lent(site, cycle)
    assert site.calls[:2] == [f"silence {name}", f"{name} drain peaceful shepherd/{NOW + 600}:flock"]
    assert cycle.file.read()[0].downtimes == {name: f"{name}!1"}
    (site.directory / "flockoff").write_text("")
    site.calls.clear()
    report = after(site, cycle, 3)
    assert site.calls == [f"f{name[1:]} close", f"{name} cancel", f"speak {name} {name}!1"]
    assert report.downtimes == {} and cycle.file.read()[0].downtimes == {}


def test_monitoring_that_fails_keeps_nobody_from_anything(site: FakeSite) -> None:
    cycle = site.cycle(Watcher(site, fail=True))
    name = lent(site, cycle)
    assert site.nodes[name].open_until
    (site.directory / "flockoff").write_text("")
    report = after(site, cycle, 3)
    assert site.nodes[name].drain_reason == "" and any("was not told" in problem for problem in report.problems)
    # Tried again until it is taken.
    cycle.monitoring = Watcher(site)
    site.calls.clear()
    after(site, cycle)
    assert site.calls == [f"speak {name} "]


def test_what_may_have_been_told_is_noted_before(site: FakeSite) -> None:
    watcher = Watcher(site)
    cycle = site.cycle(watcher)
    after(site, cycle)

    def killed(node: str, reason: str) -> str:
        os.write(1, b"")
        raise KeyboardInterrupt

    watcher.before_off = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        after(site, cycle)
    assert list(cycle.file.read()[0].downtimes.values()) == [""]


def test_held_and_wanted(site: FakeSite) -> None:
    cycle = site.cycle()
    (site.directory / "holds.d").mkdir()
    (site.directory / "holds.d" / "p220").write_text("owner: bob\nreason: new disks\n")
    report = after(site, cycle, 3)
    assert report.decisions is not None
    by_name = {decision.node: decision for decision in report.decisions.nodes}
    assert by_name["p220"].state is PairState.HELD and "bob: new disks" in by_name["p220"].reason
    assert not any(call.startswith("p220") for call in site.calls)
    assert by_name["p221"].wanted in (NodeGoal.FLOCK, NodeGoal.LOCAL)
