"""The command line, through HTCondor's tools as programs: what it prints and what it runs."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.ads import SLOT_ATTRIBUTES
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.commands import EMPTY
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cli import tables
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cli.main import duration, main
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cli.printable import shown
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.observe import slots
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.state.leader_lock import LeaderLock
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.state.override_files import OverrideFiles
from fake_tools import FakeTools


@pytest.fixture
def tools(tmp_path: Path) -> FakeTools:
    made = FakeTools(tmp_path)
    made.configure()
    return made


def test_status_asks_little_and_shows_everything(tools: FakeTools) -> None:
    status, out, err = tools.run("status")
    assert status == 0, err
    assert err == "" and "NODE" in out and out.count("local") >= 3 and "pass, 2 min ago" in out
    assert "2 nodes: 2 local" in out and "8 cores: 8 open to local jobs, 0 not; reserve: 4 cores" in out
    assert "no shepherd runs on this host" in out
    asked = [call[1:] for call in tools.calls("condor_status")]
    assert [call[0] for call in asked] == ["-slots", "-master", "-collector", "-schedd"]
    assert asked[0] == ["-slots", "-json", "-attributes", ",".join((*SLOT_ATTRIBUTES, *slots.ATTRIBUTES))]
    assert not tools.calls("condor_drain") and not (tools.directory / "state" / "memory.json").exists()


def test_status_as_json(tools: FakeTools) -> None:
    status, out, _err = tools.run("status", "--json")
    found = json.loads(out)
    assert status == 0 and [node["name"] for node in found["nodes"]] == ["p220", "p221"] and found["daemon"] == 0
    assert found["nodes"][0]["verification"]["result"] == "pass" and found["states"]["local"] == 2


@pytest.mark.parametrize("value", [1e300, 2**62, -(2**62)])
def test_no_number_of_a_containers_ad_ends_a_command(tools: FakeTools, value: float) -> None:
    ads = json.loads((tools.directory / "slots.json").read_text())
    lies = dict.fromkeys(("FlockOpenUntil", "Cpus", "TotalSlotCpus", "NumDynamicSlots", "JobStart", "MaxWallTimeMins"), value)
    tools.answer("slots", [{**ad, **lies} if ad["FlockNode"] else {**ad, "FlockVerifyTime": value} for ad in ads])
    for words in (("explain", "p220"), ("status",), ("plan",), ("status", "--json")):
        status, out, err = tools.run(*words)
        assert status == 0 and out, err


def test_a_cycle_drains_one_by_exactly_this_command(tools: FakeTools) -> None:
    for _ in range(20):
        status, _out, err = tools.run("cycle")
        assert status == 0, err
        if tools.calls("condor_drain"):
            break
    (call,) = tools.calls("condor_drain")
    reason, node = call[2], call[-1]
    assert call == ["condor_drain", "-reason", reason, "-graceful", "-check", EMPTY, node]
    assert reason.startswith("shepherd/") and reason.endswith(":flock") and node in ("p220.test", "p221.test")
    assert f"decision node={node.split('.')[0]} state=local wanted=flock" in err


def test_plan_says_what_and_why_and_does_nothing(tools: FakeTools) -> None:
    tools.run("cycle")
    planned = ""
    for _ in range(20):
        status, planned, err = tools.run("plan")
        assert status == 0, err
        if "drain (peaceful)" in planned:
            break
    assert "(local): p22" in planned and ": drain (peaceful)\n    no unmet demand" in planned
    assert not tools.calls("condor_drain")
    found = json.loads(tools.run("plan", "--json")[1])
    assert len(found["nodes"]) == 1


def test_explain(tools: FakeTools) -> None:
    for name in ("p220", "f220", "f220.test"):
        status, out, err = tools.run("explain", name)
        assert status == 0, err
        assert out.startswith("node               p220\n") and "last verification  pass, 2 min ago, rules aa" in out
    status, _out, err = tools.run("explain", "p999")
    assert status == 1
    assert err == "shepherd: node is p999: expected one that the collector knows as one side of a pair (p220, p221)\n"


def test_off_and_on(tools: FakeTools) -> None:
    assert tools.run("off", "--reason", "power work", "--for", "2h", "--evict")[0] == 0
    path = tools.directory / "state" / "flockoff"
    text = path.read_text()
    assert "reason: power work\n" in text and "mode: evict\n" in text and "expires: 20" in text
    assert path.stat().st_mode & 0o777 == 0o644
    assert "switched off by" in tools.run("status")[1]
    assert tools.run("on")[1].startswith(f"{path} removed\n") and not path.exists()
    assert tools.run("on") == (0, "no matching override\n", "")
    tools.run("off", "--reason", "x", "--node", "p220", "--node", "p221")
    assert sorted(each.name for each in path.with_name("flockoff.d").iterdir()) == ["p220", "p221"]
    tools.run("on", "--node", "p220")
    assert [each.name for each in path.with_name("flockoff.d").iterdir()] == ["p221"]


def test_hold_and_release(tools: FakeTools) -> None:
    assert tools.run("hold", "p220", "--reason", "new disks")[0] == 0
    assert "held by" in tools.run("explain", "p220")[1]
    assert tools.run("release", "p220")[0] == 0
    assert "held by" not in tools.run("explain", "p220")[1]


def test_simulate(tools: FakeTools) -> None:
    # Three days of a job of an hour every half hour, then a day of nothing and one more.
    starts = [*range(0, 3 * 86400, 1800), 4 * 86400]
    path = tools.directory / "trace.swf"
    path.write_text("; a comment\n" + "".join(f"{n} {start} 0 3600 1 -1 -1 1 {' -1' * 10}\n" for n, start in enumerate(starts)))
    tools.configure(settings={"cycle": 300, "lease": 900, "reserve": 0.25})
    words = ["simulate", str(path), "--nodes", "4", "--cores", "2"]
    status, out, err = tools.run(*words)
    assert status == 0, err
    assert out.startswith("policy                    balance\ndays                      4.0\n")
    found = json.loads(tools.run(*words, "--json")[1])
    assert found["foreign_core_hours"] > 0 and found["nodes"] == 4 and found["badput_share"] < 0.5
    assert found["local_core_hours"] == pytest.approx(len(starts) - 1, abs=2)
    assert json.loads(tools.run(*words, "--days", "1", "--json")[1])["days"] == 1.0
    # No HTCondor is asked.
    assert tools.calls() == []
    lines = path.with_suffix(".jsonl")
    lines.write_text(
        "".join(json.dumps({"QDate": start, "RemoteWallClockTime": 3600, "RequestCpus": 1}) + "\n" for start in starts)
    )
    assert json.loads(tools.run("simulate", str(lines), *words[2:], "--json")[1]) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "trace cannot be read: No such file or directory."),
        ("", "trace has no job that ran: expected a trace"),
        ("hello\n", "line 1 is 'hello': expected 18 numbers (SWF)."),
        ("{}\n", "line 1 is '{}': expected a job's ad as JSON"),
    ],
)
def test_a_trace_that_is_none(tools: FakeTools, text: str | None, words: str) -> None:
    path = tools.directory / "trace"
    if text is not None:
        path.write_text(text)
    status, _out, err = tools.run("simulate", str(path))
    assert status == 1 and words in err and err.startswith("shepherd: ")


def test_only_one_shepherd(tools: FakeTools) -> None:
    lock = LeaderLock(tools.directory / "state" / "lock")
    before = signal.getsignal(signal.SIGUSR1)
    try:
        assert lock.acquire() and lock.acquire()
        status, _out, err = tools.run("cycle")
        assert status == 1 and err.startswith(f"shepherd: process {os.getpid()} is the shepherd now (")
        assert f"shepherd runs as process {os.getpid()}" in tools.run("status")[1]
        # A single cycle that is woken goes on.
        assert LeaderLock(lock.path).wake()
    finally:
        lock.release()
        signal.signal(signal.SIGUSR1, before)
    assert lock.holder() == 0 and not lock.wake()


def test_a_pool_that_does_not_answer_is_one_sentence(tools: FakeTools) -> None:
    tools.configure(pool={"timeout": 0.5})
    tools.hang("condor_status")
    for command in ("status", "plan", "cycle"):
        status, out, err = tools.run(command)
        assert status == 1 and out == ""
        assert err.splitlines()[-1] == (
            "shepherd: the pool cannot be seen: condor_status had no answer within 0.5 s and was ended"
        )


def test_without_htcondor(tools: FakeTools, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in tools.directory.glob("bin/condor_*"):
        tool.unlink()
    status, _out, err = tools.run("status")
    assert status == 1 and err == "shepherd: the pool cannot be asked: cannot run condor_config_val: No such file or directory\n"


def test_check_config(tools: FakeTools) -> None:
    assert tools.run("check-config") == (0, "configuration is valid\n", "")
    tools.configure(settings={"reserve": 1.5, "low": 9}, deadline="x", colour="red", pool={"timeot": 1})
    status, _out, err = tools.run("check-config")
    assert status == 2
    assert "shepherd: reserve is 1.5: expected a share from 0 to 1.\n" in err
    assert "shepherd: deadline is 'x': expected a whole number.\n" in err
    assert "shepherd: colour is 'red': expected no such name (there are deadline," in err
    assert "shepherd: pool.timeot is 1: expected no such name (there are at_once," in err
    # Every other command says the same.
    assert tools.run("status")[0] == 2 and tools.run("run")[0] == 2


def test_check_config_looks_at_the_pool(tools: FakeTools) -> None:
    slots_there = json.loads((tools.directory / "slots.json").read_text())
    tools.answer("slots", [slot for slot in slots_there if not slot["Name"].endswith(("f220.test", "p221.test"))])
    tools.answer("schedd", [])
    status, _out, err = tools.run("check-config")
    assert status == 2
    assert "shepherd: p220 has no ad of a flocking startd that names it (FlockHost): expected one.\n" in err
    assert "shepherd: p221 has a flocking startd and no ad of its regular one: expected both.\n" in err
    assert "the collector has no ad of a local access point" in err
    assert tools.run("check-config", "--offline")[0] == 0


def test_a_configuration_that_cannot_be_read(tools: FakeTools) -> None:
    path = tools.directory / "shepherd.json"
    path.write_text("{")
    assert tools.run("status")[2].startswith(f"shepherd: the configuration {path} is not JSON: ")
    path.unlink()
    assert tools.run("status")[2] == f"shepherd: the configuration {path} cannot be read: No such file or directory.\n"


@pytest.mark.parametrize(
    "words", [["off"], ["hold", "p220"], ["off", "--reason", "x", "--for", "soon"], ["explain", "../x"], ["simulate"]]
)
def test_a_wrong_command_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2 and "usage: shepherd" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("8h", 28800), ("2d", 172800), ("1w", 604800)]
)
def test_durations(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["999999999w", "3651d", "0s", "1y", "-5m", "1 h", "\u0661h"])
def test_a_time_that_is_none_is_one_sentence(tools: FakeTools, text: str) -> None:
    status, _out, err = tools.run("off", f"--for={text}")
    assert status == 2
    assert f"{text!r}: expected a time such as 90s, 30m, 8h or 2d, of at most 3650d" in err
    assert "Traceback" not in err
    assert not (tools.directory / "state" / "flockoff").exists()


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("power work: row 3, \u00fcber", "power work: row 3, \u00fcber"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("one\ntwo\x9b\u202e", "one\\ntwo\\x9b\\u202e"),
    ],
)
def test_no_text_of_others_steers_a_terminal(text: str, printed: str) -> None:
    assert shown({"reason": text, "actions": [text], "cores": 2}) == {"reason": printed, "actions": [printed], "cores": 2}


def test_a_reason_with_escapes_is_shown_escaped(tools: FakeTools) -> None:
    (tools.directory / "state").mkdir(exist_ok=True)
    (tools.directory / "state" / "flockoff").write_text("reason: \x1b]0;mine\x07\n")
    for command in ("status", "plan"):
        assert "\\x1b]0;mine\\x07" in tools.run(command)[1]


def test_an_override_that_is_too_long_means_every_node(tools: FakeTools) -> None:
    """Cut off, it would mean some of those that it names."""
    (tools.directory / "state").mkdir(exist_ok=True)
    (tools.directory / "state" / "flockoff").write_text("nodes: " + " ".join(f"p{number}" for number in range(20_000)))
    found = OverrideFiles(tools.directory / "state").read()
    assert [each.nodes for each in found.overrides] == [frozenset()]
    assert "expected one line each of" in found.problems[0]


@pytest.mark.parametrize(("seconds", "text"), [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (400000, "4 d")])
def test_ages(seconds: int, text: str) -> None:
    assert tables.age(seconds) == text


def test_plain_columns() -> None:
    assert tables.plain_table(("NODE", "CORES"), [("p220", "4"), ("p22", "128")]) == ["NODE  CORES", "p220      4", "p22     128"]
