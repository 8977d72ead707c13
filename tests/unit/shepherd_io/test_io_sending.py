"""Who sends what: nodes stay with the worker that has sessions with them, and a node that hangs holds up nobody else."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor import goals
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import NoAnswer
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import Startd, State
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.act.dispatcher import Sender
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.act.monitoring import NoMonitoring
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import Decision, NodeAction, PairState


class Commanders:
    """Makes commanders that note who was commanded by whom; nodes of ``slow`` take a while and do not answer."""

    def __init__(self) -> None:
        self.by: dict[str, list[int]] = defaultdict(list)
        self.taken: dict[str, float] = {}
        self.slow: dict[str, float] = {}
        self.made = 0
        self._lock = threading.Lock()

    def __call__(self) -> Commander:
        with self._lock:
            self.made += 1
            return Commander(self, self.made)


class Commander:
    def __init__(self, all_of_them: Commanders, number: int) -> None:
        self._all = all_of_them
        self._number = number

    def send(self, startd: Startd, action: goals.StartdCommand, drain_reason: str = "") -> None:
        time.sleep(self._all.slow.get(startd.name, 0.005))
        if startd.name in self._all.slow:
            raise NoAnswer("no answer")
        self._all.by[startd.name].append(self._number)
        self._all.taken[startd.name] = time.monotonic()


def decisions(names: Iterable[str]) -> list[Decision]:
    found = []
    for name in names:
        startd = Startd(name, f"{name}.test", name, False, "", State.DRAINED)
        found.append(
            Decision(name, PairState.LOCAL, None, "", (NodeAction(name, startd, goals.StartdCommand(Verb.CANCEL_DRAIN)),))
        )
    return found


@pytest.fixture
def commanders() -> Commanders:
    return Commanders()


def test_nodes_stay_with_their_worker(commanders: Commanders) -> None:
    sender, names = Sender(commanders, 4, NoMonitoring()), [f"p{number}" for number in range(40)]
    for _ in range(5):
        assert len(sender.send(decisions(names), 60).results) == 40
    sender.close()
    assert commanders.made <= 4
    moves = sum(len(set(numbers)) - 1 for numbers in commanders.by.values())
    # All at random there would be some ninety; one that has nothing left helps the one that has most.
    assert moves <= 30


def test_one_that_hangs_holds_up_nobody(commanders: Commanders) -> None:
    sender, names = Sender(commanders, 2, NoMonitoring()), ["hung", *(f"p{number}" for number in range(9))]
    sender.send(decisions(names), 60)
    commanders.slow["hung"] = 2.0
    began = time.monotonic()
    sent = sender.send(decisions(names), 60)
    sender.close()
    assert [result.node for result in sent.results if result.error] == ["hung"] and len(sent.results) == 10
    assert max(commanders.taken.values()) - began < 1.5


def test_what_is_too_late_is_not_begun(commanders: Commanders) -> None:
    commanders.slow = {"p0": 0.4}
    sender = Sender(commanders, 1, NoMonitoring())
    sent = sender.send(decisions(["p0", "p1", "p2"]), 0.2)
    sender.close()
    assert sent.skipped == ["p1", "p2"]
