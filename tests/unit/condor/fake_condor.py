"""A pool in memory: it does what a real one was seen to do, and notes every call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError, NotEmpty
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import Goal, How, StartdCommand, Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import Startd, State

NOW = 1_800_000_000


def regular(name: str = "p220", state: State = State.ON, **facts: object) -> Startd:
    drained = state in (State.DRAINED, State.DRAINING)
    base = Startd(
        name=name,
        machine=f"{name}.test",
        startd=f"{name}.test",
        flocking=False,
        flock_host="",
        state=state,
        drained_by_htcondor=drained,
        drain_reason="sheepfold/1" if drained else "",
        address=f"<{name}>",
        said_off=state is State.OFF,
    )
    return replace(base, **facts)  # type: ignore[arg-type]


def flocking(name: str = "f220", state: State = State.DRAINED, **facts: object) -> Startd:
    base = Startd(
        name=name,
        machine=f"{name}.test",
        startd=f"{name}.test",
        flocking=True,
        flock_host="p" + name[1:],
        state=state,
        open_until=NOW + 900 if state is State.ON else 0,
        address=f"<{name}>",
        said_off=state is State.OFF,
    )
    return replace(base, **facts)  # type: ignore[arg-type]


class FakePool:
    """The adapter's fake. ``lag``: how many looks later a change is in the ads."""

    def __init__(self, *startds: Startd, lag: int = 0) -> None:
        self.startds = {startd.name: startd for startd in startds}
        self.calls: list[tuple[str, str]] = []
        self.time = float(NOW)
        self.lag = lag
        self.looks = 0
        self.broken: dict[str, CondorError] = {}
        self.unanswered: CondorError | None = None
        self._coming: list[tuple[int, str, Startd]] = []

    def now(self) -> int:
        return int(self.time)

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def clock(self) -> float:
        return self.time

    def observe(self) -> Mapping[str, Startd]:
        if self.unanswered:
            raise self.unanswered
        self.looks += 1
        for when, name, startd in self._coming:
            if when <= self.looks:
                self.startds[name] = startd
        self._coming = [each for each in self._coming if each[0] > self.looks]
        return dict(self.startds)

    def finish_jobs(self, name: str) -> None:
        seen = self.startds[name]
        state = State.DRAINED if seen.state is State.DRAINING else seen.state
        self.startds[name] = replace(seen, busy=0, state=state)

    def act(self, startd: Startd, action: StartdCommand, goal: Goal) -> None:
        self.calls.append((startd.name, str(action)))
        if startd.name in self.broken:
            raise self.broken[startd.name]
        if action.verb is Verb.DRAIN and action.how is How.PEACEFUL and startd.busy:
            raise NotEmpty(f"{startd.name} runs something")
        empty = not startd.busy or action.how is How.FAST
        closed = State.DRAINED if empty else State.DRAINING
        busy = 0 if empty else startd.busy
        reason = f"{goal.reason}/{self.now()}"
        after = {
            Verb.DRAIN: {"state": closed, "busy": busy, "drained_by_htcondor": True, "drain_reason": reason},
            Verb.CANCEL_DRAIN: {"state": State.ON, "drained_by_htcondor": False, "drain_reason": ""},
            Verb.START: {"state": State.DRAINED if startd.flocking else State.ON},
            Verb.STOP: {
                "state": State.OFF,
                "said_off": True,
                "busy": 0,
                "open_until": 0,
                "drained_by_htcondor": False,
                "drain_reason": "",
            },
            Verb.OPEN: {"state": State.ON, "open_until": self.now() + action.lease},
            Verb.CLOSE: {"state": closed if not startd.busy else State.DRAINING, "open_until": 0},
            Verb.VACATE: {"state": closed, "busy": busy},
        }[action.verb]
        self._coming.append((self.looks + 1 + self.lag, startd.name, replace(self.startds[startd.name], **after)))  # type: ignore[arg-type]
