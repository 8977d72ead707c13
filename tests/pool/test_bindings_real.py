"""The adapter's other way: HTCondor's Python bindings in a long-lived process, against real daemons."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from condor_harness import Pool
from small_site import Site

COMPLETED = 4

# Runs on the central manager, under its Python, with our adapter: one long-lived worker for all that is asked.
_PROLOGUE = """
import json, os, signal, sys, time
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.adapter import Pool
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.bindings import Bindings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CondorError, NoAnswer, NotEmpty
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import StartdCommand, Goal, How, Verb, StartdGoal
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import AdFreshness
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.tools import Tools
bindings = Bindings(15)
pool = Pool(Tools(15), transport=bindings, policy=AdFreshness(settle=3))
goal = Goal(StartdGoal.ON)
def see(name):
    return pool.observe()[name]
def until(name, state, seconds=120):
    end = time.monotonic() + seconds
    while see(name).state.value != state:
        assert time.monotonic() < end, see(name)
        time.sleep(0.2)
def act(name, verb, how=How.PEACEFUL):
    pool.act(see(name), StartdCommand(verb, how), goal)
"""


@pytest.fixture(scope="module")
def the_site(new_pool: Callable[[str], Pool]) -> Site:
    site = Site(new_pool)
    # The bindings do not know the remote administration that the collector grants: the startd has to know us.
    site.p220.configure("ALLOW_ADMINISTRATOR = condor@site.test")
    site.p220.reconfig()
    return site


@pytest.fixture
def site(the_site: Site) -> Iterator[Site]:
    yield the_site
    the_site.reset()


def run(site: Site, script: str) -> Any:
    answer = site.cm.run(
        ["python3", "-B", "-"],
        # Without a token of their own the bindings would present themselves with the signing key, as condor@password.
        env={"PYTHONPATH": site.pool.bind_collection(), "_CONDOR_SEC_TOKEN_DIRECTORY": f"{site.cm.dir}/tokens.d"},
        input=_PROLOGUE + textwrap.dedent(script) + "\nbindings.close()\n",
        timeout=400,
    )
    return json.loads(answer.stdout.splitlines()[-1])


def test_both_ways_see_the_same(site: Site) -> None:
    by_bindings = site.pool.module(site.cm, "startd_info", settle=3, transport="bindings")
    by_tools = site.pool.module(site.cm, "startd_info", settle=3)
    for answer in (by_bindings, by_tools):
        assert not answer.get("failed"), answer
        for each in answer["startds"]:
            # The age of an ad, no more.
            each.pop("clock_offset")
    key = "name"
    assert sorted(by_bindings["startds"], key=lambda each: each[key]) == sorted(by_tools["startds"], key=lambda each: each[key])


def test_the_enumeration_of_the_bindings_is_still_wrong(site: Site) -> None:
    """When this fails, HTCondor has mended it, and commands.py can say so."""
    answer = site.cm.run(
        ["python3", "-c", "import htcondor2 as h; c = h.DaemonCommand; print(int(c.DaemonOffPeaceful), int(c.DaemonsOn))"]
    )
    assert answer.stdout.split() == ["469", "483"]


def test_drain_cancel_off_and_on(site: Site) -> None:
    cluster = site.running("p220", 5)
    said = run(
        site,
        """
        try:
            act("p220", Verb.DRAIN)
            refused = ""
        except NotEmpty as error:
            refused = str(error)
        act("p220", Verb.STOP)
        until("p220", "off")
        act("p220", Verb.START)
        until("p220", "on")
        # The startd is another one now: the first command on the old session fails, and is tried once more.
        act("p220", Verb.DRAIN)
        until("p220", "drained")
        reason = see("p220").drain_reason
        act("p220", Verb.CANCEL_DRAIN)
        until("p220", "on")
        act("p220", Verb.STOP, How.FAST)
        until("p220", "off")
        act("p220", Verb.START)
        until("p220", "on")
        print(json.dumps([refused, reason.split("/")[0]]))
        """,
    )
    assert said == ["p220 runs something, or takes no drain from us", "sheepfold"]
    # Peaceful off was peaceful: the job ran to its end, on its first start.
    job = site.pool.wait_job(site.cm, cluster, COMPLETED)
    assert job["NumJobStarts"] == 1


def test_a_hung_startd_costs_the_worker_and_no_more(site: Site) -> None:
    pid = site.p220.pids("condor_startd")[0]
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    inside = next(line.split()[-1] for line in status if line.startswith("NSpid"))
    said = run(
        site,
        f"""
        bindings.deadline = 3
        p220 = see("p220")
        old = bindings.worker.pid
        os.kill({inside}, signal.SIGSTOP)
        try:
            began = time.monotonic()
            try:
                bindings.cancel_drain(p220)
                said = "answered"
            except NoAnswer:
                said = "no answer"
            took = time.monotonic() - began
        finally:
            os.kill({inside}, signal.SIGCONT)
        gone = not os.path.exists(f"/proc/{{old}}")
        bindings.deadline = 15
        print(json.dumps([said, took < 15, gone, see("p220").name, bindings.worker.pid != old]))
        """,
    )
    assert said == ["no answer", True, True, "p220", True]
