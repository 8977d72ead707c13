"""The worker process of the bindings, with bindings that do as told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor import bindings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.bindings import Bindings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError, NoAnswer, NotEmpty
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import How
from fake_condor import regular

CLASSAD = "class ClassAd(dict):\n    pass\n"
CONDOR = '''
"""Notes each call in a file; fails or hangs on a word in another."""
import enum, json, os, time

HERE = os.environ["FAKE_CONDOR"]

class AdType(enum.IntEnum):
    Startd = 0
    Master = 2
    Collector = 7

def note(*words):
    with open(HERE + "/calls", "a") as calls:
        print(*words, file=calls)
    path = HERE + "/trouble"
    if os.path.exists(path):
        trouble = open(path).read()
        if trouble.startswith("hang"):
            time.sleep(600)
        if trouble.startswith("once"):
            os.unlink(path)
        raise OSError(trouble)

def version():
    note("version")
    return "$CondorVersion: 99 $"

def send_command(ad, command, target=None):
    note("send", ad["MyAddress"], command, target)

class Ad(dict):
    def printJson(self):
        return json.dumps(self, indent=2)

class Collector:
    def __init__(self, pool=None):
        self.pool = pool
    def query(self, kind, constraint, projection):
        note("query", self.pool, int(kind), constraint, ",".join(projection))
        ads = [{"Name": "p220.test", "MyAddress": "<master>", "MyType": AdType.Master}]
        if "Odd" in projection:
            ads = [{**ads[0], "Odd": [1]}, {"NAME": "p\\t221", "other": 1}]
        return [Ad(ad) for ad in ads]

class Startd:
    def __init__(self, ad):
        self.ad = ad
    def drainJobs(self, how, completion, check, start, reason):
        note("drain", self.ad["MyAddress"], how, completion, check, start, reason)
        return "1"
    def cancelDrainJobs(self):
        note("cancel", self.ad["MyAddress"])
'''


class Fake:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "classad2.py").write_text(CLASSAD)
        (directory / "htcondor2.py").write_text(CONDOR)
        self.bindings = Bindings(10, settings={"FAKE_CONDOR": str(directory)})
        # What the worker imports lies beside our own packages.
        path = self.bindings.worker.settings
        self.bindings.worker.settings = {**path, "PYTHONPATH": f"{directory}:{bindings.source_of(bindings.worker)}"}

    def calls(self) -> list[str]:
        path = self.directory / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def trouble(self, words: str) -> None:
        (self.directory / "trouble").write_text(words)


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


@pytest.fixture(autouse=True)
def _closed(fake: Fake) -> object:
    yield
    fake.bindings.close()


def test_one_process_answers_many_questions(fake: Fake) -> None:
    assert fake.bindings.version() == "$CondorVersion: 99 $"
    first = fake.bindings.worker.pid
    assert fake.bindings.query("c:1", "Master", ["Name", "Odd"]) == [{"Name": "p220.test", "Odd": None}, {"Name": "p\t221"}]
    assert fake.bindings.worker.pid == first
    assert fake.calls() == ["version", "query c:1 2 true Name,Odd"]


def test_slots_are_asked_for_in_two_parts(fake: Fake) -> None:
    assert fake.bindings.query("", "Slot", ["Name"], "C") == [{"Name": "p220.test"}] * 2
    assert fake.calls() == [f"query None 0 (C) && FlockNode {operator} true Name" for operator in ("=?=", "=!=")]


def test_an_answer_is_never_taken_for_that_to_another_question(fake: Fake) -> None:
    fake.trouble("once: session unknown")
    # The first part fails, and both are asked for again.
    assert fake.bindings.query("", "Slot", ["Name"]) == [{"Name": "p220.test"}] * 2
    fake.trouble("always")
    with pytest.raises(CondorError, match="always"):
        fake.bindings.query("", "Slot", ["Name"])
    (fake.directory / "trouble").unlink()
    assert fake.bindings.version() == "$CondorVersion: 99 $"


def test_an_answer_can_wait(fake: Fake) -> None:
    worker = fake.bindings.worker
    answer, asked = worker.later({"operation": "hello"}, 10), worker.pid
    assert answer() == {"version": "$CondorVersion: 99 $"}
    # Whoever asks something else meanwhile has its own answer, and the first one has none.
    forgotten = worker.later({"operation": "hello"}, 10)
    assert worker.pid == asked
    assert fake.bindings.query("c:1", "Master", ["Name"]) == [{"Name": "p220.test"}]
    assert worker.pid != asked
    with pytest.raises(CondorError, match="ended before it had answered"):
        forgotten()
    fake.trouble("hang")
    late = worker.later({"operation": "hello"}, 0.5)
    with pytest.raises(NoAnswer):
        late()


def test_a_peaceful_off_tells_the_startd_first(fake: Fake) -> None:
    fake.bindings.stop(regular(), How.PEACEFUL)
    sent = [call for call in fake.calls() if call.startswith("send")]
    assert sent == ["send <p220> 60016 None", "send <master> 483 STARTD"]


@pytest.mark.parametrize(("how", "number"), [(How.GRACEFUL, 467), (How.FAST, 468)])
def test_the_other_ways_off(fake: Fake, how: How, number: int) -> None:
    fake.bindings.stop(regular(), how)
    assert [call for call in fake.calls() if call.startswith("send")] == [f"send <master> {number} STARTD"]


def test_on_and_drains(fake: Fake) -> None:
    fake.bindings.start(regular())
    fake.bindings.drain(regular(), How.FAST, "why")
    fake.bindings.drain(regular(), How.PEACEFUL, "why")
    fake.bindings.cancel_drain(regular())
    calls = fake.calls()
    assert calls[1] == "send <master> 469 STARTD"
    assert calls[2] == "drain <p220> 20 0 None None why"
    assert calls[3].startswith("drain <p220> 0 0 (PartitionableSlot =?= true")
    assert calls[4] == "cancel <p220>"


def test_a_stale_session_is_tried_once_more(fake: Fake) -> None:
    fake.trouble("once: session unknown")
    fake.bindings.cancel_drain(regular())
    assert fake.calls() == ["cancel <p220>"] * 2
    fake.trouble("always")
    with pytest.raises(CondorError, match="HTCondor's bindings said: OSError: always"):
        fake.bindings.cancel_drain(regular())
    assert len(fake.calls()) == 4


def test_a_refused_drain_says_so(fake: Fake) -> None:
    fake.trouble("Startd failed to start draining jobs.")
    with pytest.raises(NotEmpty):
        fake.bindings.drain(regular(), How.PEACEFUL, "why")
    # It may have been a stale session: the bindings say the same of both.
    assert len(fake.calls()) == 2
    fake.trouble("once: Startd failed to start draining jobs.")
    fake.bindings.drain(regular(), How.PEACEFUL, "why")


def test_a_hung_worker_is_ended_and_the_next_call_has_a_new_one(fake: Fake) -> None:
    fake.bindings.version()
    old = fake.bindings.worker.pid
    fake.trouble("hang")
    fake.bindings.deadline = 0.5
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"no answer within 0\.5 s"):
        fake.bindings.cancel_drain(regular())
    assert time.monotonic() - began < 60 and not Path(f"/proc/{old}").exists()
    (fake.directory / "trouble").unlink()
    fake.bindings.deadline = 10
    assert fake.bindings.version() and fake.bindings.worker.pid != old


def test_without_bindings_it_says_so(fake: Fake) -> None:
    (fake.directory / "htcondor2.py").unlink()
    with pytest.raises(CondorError, match="No module named 'htcondor2'"):
        fake.bindings.version()
