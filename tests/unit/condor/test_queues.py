"""Queues: the exact commands, what is made of their answers, and what the worker does with the bindings' objects."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor import queue_match, queue_worker
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor import queues as queues_module
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.bindings import Bindings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError, NoAnswer
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import How
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.hybrid_transport import HybridTransport
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.queues import (
    IDLE,
    IdleGroup,
    QueuesByBindings,
    QueuesByTools,
    Schedd,
    bindings_of,
    queues,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.tools import Tools
from fake_condor import regular
from hypothesis import given, settings
from hypothesis import strategies as st

SCHEDD = Schedd("submit.test", "<submit>", 1, 7, "condor@test")


def test_a_schedds_ad() -> None:
    ad = {"Name": "a", "MyAddress": "<a>", "LastHeardFrom": 5, "TotalIdleJobs": 7, "AuthenticatedIdentity": "condor@x"}
    assert Schedd.parse(ad) == Schedd("a", "<a>", 5, 7, "condor@x")
    assert Schedd.parse({"Name": None, "TotalIdleJobs": True}) == Schedd("", "", 0, 0, "")


def test_by_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command: Sequence[str], deadline: float, settings: Mapping[str, str] | None = None) -> str:
        assert deadline == 7
        commands.append(list(command))
        # What is no number counts as one core; a job of the parallel universe takes several hosts.
        return (
            "1 1800000100 5 undefined\n8 1800000050 5 7\n1 1800000000 5 1\nRequestMemory/1024 undefined 5 undefined\n\nhalf\n"
            "² 9999999999999999 5 1\n2 1800000200 11 4\n"
        )

    monkeypatch.setattr(queues_module, "run", run)
    way = QueuesByTools(7)
    groups = way.groups(SCHEDD, "c:9618", 0)
    assert groups == [
        IdleGroup(4, 1, oldest=1800000000),
        IdleGroup(4, 2, oldest=1800000200),
        IdleGroup(1, 8, oldest=1800000050),
    ]
    assert way.matched(groups, "", "true")() == groups
    way.groups(SCHEDD, "", 0)
    asked = ["-af", "RequestCpus", "EnteredCurrentStatus", "JobUniverse", "MaxHosts"]
    rest = ["-name", "submit.test", "-allusers", "-constraint", IDLE, *asked]
    assert commands == [["condor_q", "-pool", "c:9618", *rest], ["condor_q", *rest]]


class Said:
    """Takes the place of the worker's process."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []

    def call(self, request: Mapping[str, Any], deadline: float) -> Any:
        self.requests.append(dict(request))
        return self.answers.pop(0)

    def later(self, request: Mapping[str, Any], deadline: float) -> Callable[[], Any]:
        answer = self.call(request, deadline)
        return lambda: answer


def test_by_bindings() -> None:
    bindings = Bindings(7)
    said = Said(
        [{"jobs": 3, "cores": 2, "ad": "[a]", "oldest": 9}, {"jobs": 1, "cores": 1, "ad": "[b]", "oldest": 0}],
        {"sets": [None, ["m"], []], "of": [1, 0], "widened": [False, True]},
    )
    bindings.worker = said  # type: ignore[assignment]
    way = QueuesByBindings(bindings)
    groups = way.groups(SCHEDD, "", 1234)
    assert groups == [IdleGroup(3, 2, "[a]", 9), IdleGroup(1, 1, "[b]")]
    first, second = way.matched(groups, "c", "X")()
    assert (first.machines, first.widened, second.machines, second.widened) == (frozenset({"m"}), False, None, True)
    assert said.requests == [
        {"operation": "groups", "name": "submit.test", "address": "<submit>", "before": 1234},
        {"operation": "matches", "collector": "c", "constraint": "X", "groups": ["[a]", "[b]"], "jobs": [3, 1]},
    ]
    assert way.matched([], "c", "X")() == [] and len(said.requests) == 2


def test_without_bindings_the_tools_are_taken() -> None:
    # Our own Python has no htcondor2; one that is not there has none either.
    for interpreter in ("", "/nowhere/python3"):
        assert bindings_of(20, interpreter) is None
        way = queues(20, bindings_of(20, interpreter))
        assert isinstance(way, QueuesByTools)
    assert way.deadline == 20


class Ad(dict[str, Any]):
    """As much of classad2.ClassAd as the worker uses; Requirements are Python in a text, names without scope are the job's."""

    def __init__(self, values: Any = ()) -> None:
        super().__init__(eval(values) if isinstance(values, str) else values)

    def lookup(self, name: str) -> Any:
        return self[name]

    def eval(self, name: str) -> Any:
        return self[name]

    def externalRefs(self, expression: str) -> list[str]:
        words = expression.replace("(", " ").replace(")", " ").split()
        names = [word for word in words if word[0].isalpha() and word not in ("and", "or", "not", "True", "False")]
        return [name for name in names if name.startswith("TARGET.") or (name not in self and not name.startswith("MY."))]

    def matches(self, job: Ad) -> bool:
        Evaluations.count += 1
        if "Requirements" not in job:
            return False
        scope = {name: value for name, value in job.items() if name != "Requirements"}
        try:
            sides = {"MY": type("My", (), dict(job)), "TARGET": type("Target", (), dict(self))}
            return bool(eval(job["Requirements"], {}, {**scope, **sides}))
        except (NameError, AttributeError, TypeError):
            return False

    def printJson(self) -> str:
        return json.dumps(self)

    def __str__(self) -> str:
        return repr(dict(self))


class Evaluations:
    count = 0


class ClassAds:
    ClassAd = Ad


class Condor:
    """As much of htcondor2 as the worker uses."""

    class QueryOpts:
        GroupBy = 2

    class AdType:
        Startd = 0

    def __init__(self, slots: Sequence[Ad] = (), grouped: Sequence[Ad] = (), waiting: Sequence[Ad] = ()) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        outer = self

        class Collector:
            def __init__(self, address: str | None) -> None:
                pass

            def query(self, kind: int, constraint: str, projection: list[str]) -> list[Ad]:
                outer.asked.append((constraint, projection))
                return [Ad({name: slot[name] for name in projection if name in slot}) for slot in slots]

        class Schedd:
            def __init__(self, ad: Ad) -> None:
                assert ad["MyAddress"] == "<submit>" and "CondorVersion" in ad

            def query(self, constraint: str, projection: list[str], opts: int = 0, limit: int = -1) -> list[Ad]:
                outer.asked.append((constraint, projection))
                found = grouped if opts == Condor.QueryOpts.GroupBy else waiting
                return [Ad({name: ad[name] for name in [*projection, "JobCount", "JobIds"] if name in ad}) for ad in found]

        self.Collector, self.Schedd = Collector, Schedd


def test_only_idle_jobs_that_need_a_slot_are_grouped() -> None:
    base = {"JobStatus": 1, "JobUniverse": 5, "RequestCpus": 2, "JobCount": 4, "JobIds": "1.0 ...", "Requirements": "True"}
    condor = Condor(
        grouped=[
            Ad(base),
            Ad({**base, "JobStatus": 2}),
            Ad({**base, "JobUniverse": 7}),
            Ad({**base, "RequestCpus": 0, "JobCount": 1}),
            Ad({**base, "JobUniverse": 11, "MaxHosts": 5, "JobCount": 3}),
        ],
        waiting=[Ad({**base, "EnteredCurrentStatus": 50}), Ad({**base, "EnteredCurrentStatus": 40})],
    )
    found = queue_worker.groups(condor, ClassAds, {"name": "submit", "address": "<submit>", "before": 99})
    assert [(group["jobs"], group["cores"], group["oldest"]) for group in found] == [(15, 2, 0), (4, 2, 40), (1, 1, 0)]
    assert "JobIds" not in found[0]["ad"] and "Requirements" in found[0]["ad"]
    # All are asked for: a constraint on JobStatus and GroupBy do not go together.
    assert condor.asked == [
        ("true", list(queue_worker.GROUP_BY)),
        ("JobStatus == 1 && EnteredCurrentStatus < 99", [*queue_worker.GROUP_BY, "EnteredCurrentStatus"]),
    ]


def test_jobs_that_are_all_different_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_worker, "_GROUPS_MOST", 2)
    each = [Ad({"JobStatus": 1, "JobCount": 9 - n, "RequestCpus": 1 + n % 2, "RequestMemory": n}) for n in range(6)]
    waiting = [Ad({**each[4], "EnteredCurrentStatus": 30}), Ad({**each[2], "EnteredCurrentStatus": 40})]
    condor = Condor(grouped=each[::-1], waiting=waiting)
    found = queue_worker.groups(condor, ClassAds, {"name": "submit", "address": "<submit>", "before": 99})
    assert [(group["jobs"], group["cores"], group["oldest"], bool(group["ad"])) for group in found] == [
        (9, 1, 0, True),
        (8, 2, 0, True),
        (7 + 5, 1, 30, False),
        (6 + 4, 2, 0, False),
    ]


def test_an_empty_queue_is_asked_once() -> None:
    condor = Condor()
    assert queue_worker.groups(condor, ClassAds, {"name": "submit", "address": "<submit>", "before": 0}) == []
    assert len(condor.asked) == 1


def slot(machine: str, **values: Any) -> Ad:
    return Ad({"Machine": machine, "PartitionableSlot": True, "Cpus": 0, "TotalSlotCpus": 4, **values})


def matches(condor: Condor, *groups: str, jobs: Sequence[int] = ()) -> list[list[str] | None]:
    request = {"collector": "", "constraint": "C", "groups": list(groups), "jobs": list(jobs) or [1] * len(groups)}
    answer = queue_match.matches(condor, ClassAds, request)
    return [answer["sets"][number] for number in answer["of"]]


def test_slots_are_taken_as_if_they_were_empty() -> None:
    condor = Condor([slot("a"), slot("b", TotalSlotCpus=1), Ad({"Machine": "c", "Cpus": 2, "TotalSlotCpus": 9})])
    job = "{'Requirements': 'TARGET.Cpus >= RequestCpus', 'RequestCpus': 2}"
    # A static slot has what it has.
    assert matches(condor, job, job.replace("2", "4"), "{'Requirements': 'True'}", "{}") == [["a", "c"], ["a"], None, None]
    assert condor.asked == [("C", ["Machine", "PartitionableSlot", "Cpus", "TotalSlotCpus"])]


def test_names_without_a_scope_are_the_machines_where_the_job_has_none() -> None:
    condor = Condor([slot("a", Memory=10, TotalSlotMemory=1000), slot("b", Memory=10, TotalSlotMemory=100)])
    assert matches(condor, "{'Requirements': 'Memory > RequestMemory', 'RequestMemory': 500}") == [["a"]]
    assert matches(condor, "{'Requirements': 'Unicorns'}") == [[]]


def test_slots_that_look_alike_are_evaluated_once() -> None:
    condor = Condor([slot(f"n{number}", Memory=number % 3) for number in range(900)])
    Evaluations.count = 0
    (found,) = matches(condor, "{'Requirements': 'TARGET.Memory > 0'}")
    assert found is not None and len(found) == 600 and Evaluations.count == 3


ENOUGH = "{'RequestDisk': 500, 'Requirements': 'TARGET.Disk >= RequestDisk'}"


@pytest.mark.parametrize(
    ("job", "evaluated"),
    [
        (ENOUGH, 2),
        # A job that looks at the disk in another way as well, or that does not say a number, is compared with each.
        (ENOUGH.replace("Disk'}", "Disk and TARGET.Disk > 0'}"), 900),
        (ENOUGH.replace("500", "500, 'Rank': 'Disk'"), 900),
        (ENOUGH.replace("500", "True").replace(">=", "> 499 * "), 900),
    ],
)
def test_slots_that_have_enough_look_alike(job: str, evaluated: int) -> None:
    condor = Condor([slot(f"n{number}", Disk=number, TotalSlotDisk=number) for number in range(900)])
    Evaluations.count = 0
    (found,) = matches(condor, job)
    assert found == sorted(f"n{number}" for number in range(500, 900)) and Evaluations.count == evaluated


SAME = "{'Domain': 'n7', 'Requirements': 'TARGET.Domain == MY.Domain'}"


@pytest.mark.parametrize(("job", "evaluated"), [(SAME, 2), (SAME.replace("n7'", "n7', 'Rank': 'Domain'"), 900)])
def test_slots_of_other_domains_look_alike(job: str, evaluated: int) -> None:
    condor = Condor([slot(f"n{number}", Domain=f"n{number}") for number in range(900)])
    Evaluations.count = 0
    assert matches(condor, job) == [["n7"]] and Evaluations.count == evaluated


def test_what_is_no_number_is_not_compared_as_one() -> None:
    condor = Condor([slot("a", Disk=600.5, TotalSlotDisk=600.5), slot("b", Disk=True, TotalSlotDisk=True), slot("c")])
    assert matches(condor, ENOUGH) == [["a"]]


def test_thousands_that_differ_by_what_they_ask_for_are_one_class() -> None:
    condor = Condor([slot(f"n{number}", Disk=7 * number, TotalSlotDisk=7 * number, Arch="x") for number in range(500)])
    job = "{'RequestDisk': %d, 'Requirements': 'TARGET.Arch == \"x\" and TARGET.Disk >= RequestDisk'}"
    Evaluations.count = 0
    found = matches(condor, *(job % asked for asked in range(0, 3000, 3)))
    assert Evaluations.count == 2
    sizes = [500 if machines is None else len(machines) for machines in found]
    # Those of groups that count together are larger, never smaller.
    assert all(size >= 500 - -(-asked // 7) for size, asked in zip(sizes, range(0, 3000, 3)))


def test_of_too_many_sets_those_with_the_fewest_jobs_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_match, "SETS_MOST", 3)
    condor = Condor([slot(f"n{number}") for number in range(6)])
    jobs = [f"{{'Requirements': 'TARGET.Machine == \"n{number}\"'}}" for number in range(5)]
    request = {"collector": "", "constraint": "C", "groups": [*jobs, "{}"], "jobs": [9, 1, 8, 2, 3, 1]}
    answer = queue_match.matches(condor, ClassAds, request)
    found = [answer["sets"][number] for number in answer["of"]]
    # Everywhere stays everywhere.
    assert found == [["n0"], ["n1", "n3", "n4"], ["n2"], ["n1", "n3", "n4"], ["n1", "n3", "n4"], None]
    assert answer["widened"] == [False, True, False, True, True, False]


TERMS = st.sampled_from(
    [
        "TARGET.Disk >= RequestDisk",
        "TARGET.Memory >= RequestMemory",
        "TARGET.Domain == MY.Domain",
        "TARGET.Arch == 'x'",
        "TARGET.Memory > 3",
        "RequestDisk > 2",
        "not TARGET.Memory >= RequestMemory",
    ]
)
NUMBERS = st.sampled_from([0, 1, 2, 3, 4, 2.5, True, "3"])
JOBS = st.fixed_dictionaries(
    {
        "RequestDisk": st.integers(0, 5),
        "RequestMemory": st.sampled_from([0, 2, 3, True]),
        "Domain": st.sampled_from(["a", "B", "c"]),
        "Requirements": st.tuples(TERMS, st.sampled_from(["and", "or"]), TERMS).map(" ".join),
    }
)
SLOTS = st.fixed_dictionaries(
    {"Memory": NUMBERS, "Arch": st.sampled_from(["x", "y"])},
    optional={"Disk": NUMBERS, "Domain": st.sampled_from(["a", "b", 7, "[a]"])},
)


@settings(max_examples=300, deadline=None)
@given(st.lists(SLOTS, max_size=8), st.lists(JOBS, min_size=1, max_size=6))
def test_classes_are_what_each_job_finds_on_each_slot(slots: list[dict[str, Any]], jobs: list[dict[str, Any]]) -> None:
    everyone = [Ad({"Machine": f"n{number % 3}", **values}) for number, values in enumerate(slots)]

    def tried(job: Ad) -> list[str]:
        return sorted({str(each["Machine"]) for each in everyone if queue_match._runs(Ad(job), Ad(each), set())})

    all_of_them = sorted({str(each["Machine"]) for each in everyone})
    found = matches(Condor(everyone), *map(repr, jobs))
    assert [all_of_them if machines is None else machines for machines in found] == [tried(Ad(job)) for job in jobs]


def test_ads_by_the_bindings_and_commands_by_the_tools() -> None:
    bindings, tools = Bindings(7), Tools(7)
    way = HybridTransport(bindings, tools)
    seen: list[str] = []
    bindings.query = lambda *rest, **options: seen.append("bindings") or [{"Name": "x"}]  # type: ignore[method-assign, func-returns-value]
    tools.query = lambda *rest, **options: seen.append("tools") or []  # type: ignore[method-assign, func-returns-value]
    for name in ("drain", "cancel_drain", "start", "stop"):
        setattr(tools, name, lambda *rest, name=name: seen.append(name))
    assert way.query("", "Slot", ["Name"]) == [{"Name": "x"}]
    way.drain(regular(), How.FAST, "x")
    way.cancel_drain(regular())
    way.start(regular())
    way.stop(regular(), How.FAST)
    assert seen == ["bindings", "drain", "cancel_drain", "start", "stop"]


@pytest.mark.parametrize(("error", "asked"), [(CondorError("not authorized"), ["tools"]), (NoAnswer("hung"), [])])
def test_the_tools_are_asked_where_the_bindings_fail(error: CondorError, asked: list[str]) -> None:
    bindings, tools = Bindings(7), Tools(7)
    seen: list[str] = []

    def fail(*rest: Any, **options: Any) -> list[dict[str, Any]]:
        raise error

    bindings.query = fail  # type: ignore[method-assign]
    tools.query = lambda *rest, **options: seen.append("tools") or []  # type: ignore[method-assign, func-returns-value]
    with contextlib.suppress(NoAnswer):
        HybridTransport(bindings, tools).query("", "Slot", ["Name"])
    assert seen == asked


def test_the_bindings_words_come_through() -> None:
    class Gone(Said):
        def call(self, request: Mapping[str, Any], deadline: float) -> Any:
            raise CondorError("HTCondor's bindings said: no")

    bindings = Bindings(7)
    bindings.worker = Gone()  # type: ignore[assignment]
    with pytest.raises(CondorError, match="said: no"):
        QueuesByBindings(bindings).groups(SCHEDD, "", 0)
