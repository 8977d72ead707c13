"""Module `condor_snippets` with HTCondor's own tools: what a snippet says is in force for every daemon, or nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from condor_harness import Master, Pool
from condor_harness.pool import CM

SUBNET = "10.27.2.0/24"
OURS = "60-flock.conf"
DAEMONS = "DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD, STARTD"


# In a process of its own for all cases: where HTCondor is, there need not be Ansible.
DRIVER = """
import json, pathlib, subprocess, sys
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration import staging, tools
home, ours = pathlib.Path(sys.argv[1]), sys.argv[2]
config, local, expression = home / "config.d", home / "condor_config.local", staging.Expression("OUR_EXPRESSION")
answers = []
for number, (files, snippet, list_, daemon) in enumerate(json.load(sys.stdin)):
    for path in config.iterdir():
        if path.name != "10-site.conf":
            path.unlink()
    local.write_text("")
    for name, text in files.items():
        (local if name == local.name else config / name).write_text(text + "\\n")
    try:
        written = staging.prepared(config, {ours: snippet}, [expression] if expression.name in snippet else [])
        (config / ours).write_text(written[ours])
        if number % 5 == 1:
            assert staging.prepared(config, {ours: snippet}, []) == written
    except tools.Refused as refused:
        answers.append([str(refused), []])
        continue
    question = ["condor_config_val", "-subsystem", daemon, "-macro", f"$({list_})"]
    answer = subprocess.run(question, capture_output=True, text=True, check=True)
    answers.append(["", answer.stdout.replace(",", " ").split()])
print(json.dumps(answers))
"""


@dataclass(frozen=True)
class Case:
    """What the site has, by file, and what we write."""

    files: dict[str, str]
    snippet: str
    words: str = ""
    """What there must be then, in ..."""
    name: str = ""
    """... this list of ..."""
    daemon: str = "MASTER"
    sentence: str = ""
    """How the refusal begins; empty where there is none."""


@pytest.fixture(scope="module")
def master(new_pool: Callable[[str], Pool]) -> Master:
    """A host whose daemons need not run."""
    made = new_pool("in-force").add_master("host", DAEMONS)
    base = made.pool.world.read(f"{made.dir}/condor_config")
    made.pool.world.write(f"{made.dir}/condor_config", f"{base}LOCAL_CONFIG_FILE = {made.dir}/condor_config.local\n")
    return made


def answers(master: Master, cases: list[Case]) -> list[tuple[str, list[str]]]:
    """Refusals and lists."""
    questions = [[case.files, case.snippet, case.name, case.daemon] for case in cases]
    env = {"PYTHONPATH": master.pool.bind_collection()}
    command = ["python3", "-B", "-c", DRIVER, master.dir, OURS]
    return [tuple(one) for one in json.loads(master.run(command, env=env, input=json.dumps(questions), timeout=300).stdout)]


DENY = f"DENY_READ = $(DENY_READ:$(DENY_DEFAULT)) {SUBNET}\n"
COLLECTORS = f"{DENY}COLLECTOR.DENY_READ = $(DENY_READ) {SUBNET} 192.0.2.8/31\n"
ADVERTISE = (
    f"DENY_DAEMON = $(DENY_DAEMON:$(DENY_DEFAULT)) {SUBNET}\n"
    f"DENY_ADVERTISE_STARTD = $(DENY_ADVERTISE_STARTD:$(DENY_DAEMON)) {SUBNET}\n"
)
ATTRS = "FlockNode = False\nSTARTD_ATTRS = $(STARTD_ATTRS) FlockNode\n"
SECOND = (
    "SECOND = $(COLLECTOR)\nSECOND_ARGS = -local-name SECOND\nDAEMON_LIST = $(DAEMON_LIST) SECOND\n"
    "SECOND.ALLOW_READ_COLLECTOR = b\nALLOW_READ = *"
)
START = "START = ($(START)) && False\n"
LATE = "condor_config.local"
BRANCHES = (
    "if defined SITES\n  SITES = $(SITES) b\nelse\n  SITES = + b\nendif\nif defined NOBODYS\n  NOBODYS = $(NOBODYS) b\nendif\n"
)
SLOTS = "NEGOTIATOR_SLOT_CONSTRAINT = ($(NEGOTIATOR_SLOT_CONSTRAINT:True)) && FlockNode =!= True\n"

EXTENDED = [
    Case({}, DENY, SUBNET, "DENY_READ", "SCHEDD"),
    Case({"20-site.conf": "DENY_READ = a"}, DENY, f"a {SUBNET}", "DENY_READ", "SCHEDD"),
    Case({"20-site.conf": "SCHEDD.DENY_READ = a"}, DENY, f"a {SUBNET}", "DENY_READ", "SCHEDD"),
    Case({"20-site.conf": "Schedd.Deny_Read = a"}, DENY, f"a {SUBNET}", "DENY_READ", "SCHEDD"),
    Case({"20-site.conf": "DENY_READ_SCHEDD = a"}, DENY, f"a {SUBNET}", "DENY_READ_SCHEDD", "SCHEDD"),
    Case({"20-site.conf": "SCHEDD.DENY_READ_SCHEDD = a"}, DENY, f"a {SUBNET}", "DENY_READ_SCHEDD", "SCHEDD"),
    Case({"20-site.conf": "GANGLIAD.DENY_READ = a"}, DENY, f"a {SUBNET}", "DENY_READ", "GANGLIAD"),
    Case({"20-site.conf": "COLLECTOR.DENY_READ = a"}, COLLECTORS, f"a {SUBNET} 192.0.2.8/31", "DENY_READ", "COLLECTOR"),
    Case({"20-site.conf": "DENY_READ_COLLECTOR = a"}, COLLECTORS, f"a {SUBNET} 192.0.2.8/31", "DENY_READ_COLLECTOR", "COLLECTOR"),
    # Without a list for a level HTCondor takes another one; ours shall not stand before it.
    Case({"20-site.conf": "DENY_DEFAULT = a"}, DENY, f"a {SUBNET}", "DENY_READ", "STARTD"),
    Case({"20-site.conf": "STARTD.DENY_DEFAULT = a"}, DENY, f"a {SUBNET}", "DENY_READ", "STARTD"),
    Case({"20-site.conf": "DENY_DEFAULT_STARTD = a"}, DENY, f"a {SUBNET}", "DENY_READ_STARTD", "STARTD"),
    Case({"20-site.conf": "DENY_DAEMON = a"}, ADVERTISE, f"a {SUBNET}", "DENY_ADVERTISE_STARTD", "COLLECTOR"),
    Case({"20-site.conf": "DENY_DAEMON_COLLECTOR = a"}, ADVERTISE, f"a {SUBNET}", "DENY_ADVERTISE_STARTD_COLLECTOR", "COLLECTOR"),
    Case({"20-site.conf": "STARTD.STARTD_ATTRS = a"}, ATTRS, "a FlockNode", "STARTD_ATTRS", "STARTD"),
    Case({"20-site.conf": "STARTD_ATTRS @=end\n a\n b\n@end"}, ATTRS, "a b FlockNode", "STARTD_ATTRS", "STARTD"),
    Case(
        {"20-site.conf": "NEGOTIATOR.NEGOTIATOR_SLOT_CONSTRAINT = a"},
        SLOTS,
        "(a) FlockNode",
        "NEGOTIATOR_SLOT_CONSTRAINT",
        "NEGOTIATOR",
    ),
    # A second daemon of a kind, with lists of its own.
    Case({"20-site.conf": SECOND}, "COLLECTOR.ALLOW_READ = $(ALLOW_READ) a\n", "* a", "ALLOW_READ", "COLLECTOR"),
    # The start of slots of one type.
    Case({"20-site.conf": "SLOT_TYPE_1_START = a"}, START, "(a) False", "SLOT_TYPE_1_START", "STARTD"),
    # Later lines that keep what was before.
    Case({"99-site.conf": "DENY_READ = $(DENY_READ) a"}, DENY, f"a {SUBNET}", "DENY_READ", "SCHEDD"),
    Case({"99-site.conf": "SCHEDD.DENY_READ = $(DENY_READ) a"}, DENY, f"a {SUBNET}", "DENY_READ", "SCHEDD"),
    Case({LATE: "STARTD_ATTRS = $(STARTD_ATTRS) a"}, ATTRS, "a FlockNode", "STARTD_ATTRS", "STARTD"),
    # A branch of a condition that HTCondor does not take is not missed.
    Case({"20-site.conf": "SITES = a"}, BRANCHES, "a b", "SITES"),
    Case({}, BRANCHES, "+ b", "SITES"),
    # A slash at the end is no other directory.
    Case({"20-site.conf": "LOCAL_CONFIG_DIR = $(LOCAL_DIR)/config.d/"}, DENY, SUBNET, "DENY_READ", "SCHEDD"),
    *(
        Case({}, f"OUR_EXPRESSION = {text}\n")
        for text in (
            "True",
            'a =?= 1 || regexp("^x$", b)',
            '"text"',
            # Longer than an argument of a command may be.
            " || ".join(f'a =?= "{number:06}"' for number in range(20_000)),
        )
    ),
]


def test_a_daemons_own_list_has_it_too(master: Master) -> None:
    for case, (refusal, words) in zip(EXTENDED, answers(master, EXTENDED), strict=True):
        assert not refusal, (case.files, refusal)
        assert set(case.words.split()) <= set(words), (case, words)


REFUSED = [
    Case(
        {LATE: "DENY_READ = a"},
        DENY,
        sentence=f"DENY_READ is 'a' ({{dir}}/{LATE}, line 1): expected {SUBNET} in it, which {OURS} appends",
    ),
    Case(
        {"99-site.conf": "x = 1\nDENY_READ = a"},
        DENY,
        sentence="DENY_READ is 'a' ({dir}/config.d/99-site.conf, line 2): expected",
    ),
    Case(
        {"99-site.conf": "SCHEDD.DENY_READ = a"},
        DENY,
        sentence="SCHEDD.DENY_READ is 'a' ({dir}/config.d/99-site.conf, line 1): expected",
    ),
    Case({LATE: "DENY_READ_COLLECTOR = a"}, COLLECTORS, sentence="DENY_READ_COLLECTOR is 'a'"),
    Case({LATE: "GANGLIAD.DENY_READ = a"}, DENY, sentence="GANGLIAD.DENY_READ is 'a'"),
    Case({LATE: "STARTD_ATTRS = a"}, ATTRS, sentence="STARTD_ATTRS is 'a'"),
    Case({LATE: "STARTD.STARTD_ATTRS = a"}, ATTRS, sentence="STARTD.STARTD_ATTRS is 'a'"),
    Case({LATE: "FlockNode = True"}, ATTRS, sentence="FlockNode is 'True'"),
    Case({"20-site.conf": "STARTD.FlockNode = True"}, ATTRS, sentence="STARTD.FlockNode is 'True'"),
    Case({LATE: "NEGOTIATOR_SLOT_CONSTRAINT = True"}, SLOTS, sentence="NEGOTIATOR_SLOT_CONSTRAINT is 'True'"),
    Case(
        {LATE: "NEGOTIATOR.NEGOTIATOR_SLOT_CONSTRAINT = True"}, SLOTS, sentence="NEGOTIATOR.NEGOTIATOR_SLOT_CONSTRAINT is 'True'"
    ),
    Case({LATE: "SLOT_TYPE_1_START = True"}, START, sentence="SLOT_TYPE_1_START is 'True'"),
    # What was ours is in it, and says nothing any more.
    Case(
        {LATE: "NEGOTIATOR_SLOT_CONSTRAINT = $(NEGOTIATOR_SLOT_CONSTRAINT) || True"},
        SLOTS,
        sentence="NEGOTIATOR_SLOT_CONSTRAINT is",
    ),
    Case({LATE: "MASTER.DAEMON_LIST = MASTER"}, "DAEMON_LIST = $(DAEMON_LIST) X\n", sentence="MASTER.DAEMON_LIST is 'MASTER'"),
    Case({LATE: "SITES = a"}, BRANCHES, sentence="SITES is 'a'"),
    *(
        Case({}, f"OUR_EXPRESSION = {text}\n", sentence=f"OUR_EXPRESSION is {text!r}: expected a ClassAd expression")
        for text in ("a &&", "(a", "a b", "a) || (b", 'a == "x')
    ),
]


def test_what_would_not_be_in_force_is_refused(master: Master) -> None:
    for case, (refusal, _words) in zip(REFUSED, answers(master, REFUSED), strict=True):
        assert refusal.startswith(case.sentence.format(dir=master.dir)) and refusal, (case, refusal)


def test_all_are_told_at_once_and_nothing_is_written(master: Master) -> None:
    """The module whole, also when its own file is as it should be."""

    def write() -> dict[str, Any]:
        return master.pool.module(master, "condor_snippets", directory=f"{master.dir}/config.d", snippets={OURS: DENY + ATTRS})

    world = master.pool.world
    world.write(f"{master.dir}/condor_config.local", "")
    world.run(["sh", "-c", f"rm -f {master.dir}/config.d/[!1]*"])
    assert write()["changed"]
    for before in (world.read(f"{master.dir}/config.d/{OURS}"), ""):
        world.write(f"{master.dir}/condor_config.local", "DENY_READ = a\nSTARTD_ATTRS = b\n")
        if not before:
            world.run(["rm", f"{master.dir}/config.d/{OURS}"])
        result = write()
        assert [line.split(" ")[0] for line in result["msg"].splitlines()] == ["DENY_READ", "STARTD_ATTRS"]
        there = world.run(["sh", "-c", f"cat {master.dir}/config.d/{OURS} 2>&1"], check=False).stdout
        assert there == before or "No such file" in there


def test_what_a_running_daemon_has_otherwise_is_noticed(new_pool: Callable[[str], Pool]) -> None:
    """Its environment stands before its files, and condor_config_val knows nothing of it."""
    pool = new_pool("running")
    odd = pool.add_master("submit", CM)
    for master, other in ((odd, {"_CONDOR_DENY_READ": "192.0.2.0/24"}), (pool.add_master("second"), {})):
        master.env |= other
        master.start()
        for name in other:
            del master.env[name]
    for name, master in pool.masters.items():
        have = {"directory": f"{master.dir}/config.d", "snippets": {OURS: DENY}}
        pool.wait(lambda master=master: "DaemonCore: private" in master.log("MasterLog"), f"the master of {name}")  # type: ignore[misc]
        assert pool.module(master, "condor_snippets", **have)["changed"]
        master.reconfig()
    running = {"directory": f"{odd.dir}/config.d", "snippets": [OURS], "timeout": 5}
    sentence = f"DENY_READ of the running MASTER is '192.0.2.0/24': expected '{SUBNET}', as its files say"
    assert sentence in pool.module(odd, "condor_running_config", **running)["msg"]
    second = pool.masters["second"]
    result = pool.module(second, "condor_running_config", **{**running, "directory": f"{second.dir}/config.d", "timeout": 60})
    assert result.get("failed") is not True, result
    assert not result.get("warnings"), result
