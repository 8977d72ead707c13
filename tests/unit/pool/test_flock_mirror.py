"""The process that copies the containers' ads, with tools that write down how they were called."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FILES = Path(__file__).resolve().parents[3] / "roles/pool/files"
POOL = "127.0.0.1:9618?sock=flock_collector"
ADDRESS = (
    "<10.27.2.220:9618?CCBID=203.0.113.1:9618%3faddrs%3d203.0.113.1-9618%26noUDP#1&PrivNet=flock.sips&addrs=10.27.2.220-9618"
)
TAIL = "&alias=f220.sips&noUDP&sock=startd>"
#: The answers are in files beside the tools; condor_status fails for the containers whose names are in "bad".
TOOLS = {
    "condor_status": """
for word in $(cat $HERE/bad); do case "$*" in *-constraint*$word*) exit 1 ;; *-constraint*) ;; *) exit 1 ;; esac; done
case $* in *"member(Machine, {})"*) exit 0 ;; *-master*) cat $HERE/masters ;; *) cat $HERE/slots ;; esac
""",
    "condor_advertise": '{ echo "== $*"; cat; } >>$HERE/sent',
}


def slot(host: str = "f220", **values: Any) -> dict[str, Any]:
    number = host[1:]
    address = (ADDRESS + TAIL).replace("220", number)
    return {
        "Name": f"slot1@{host}.sips",
        "Machine": f"{host}.sips",
        "MyAddress": address,
        "MyType": "Machine",
        "Cpus": 2,
        "LoadAvg": 0.5,
        "State": "Unclaimed",
        "PartitionableSlot": True,
        **values,
    }


class World:
    """The mirror and what its tools say and hear."""

    def __init__(self, directory: Path, mirror: ModuleType) -> None:
        self.directory = directory
        self.mirror = mirror
        self.copies = mirror.flock_copies
        nodes = directory / "nodes"
        nodes.write_text("# a comment\nf220.sips p220 10.27.2.220\nf221.sips p221 10.27.2.221\n")
        self.plan = self.copies.plan_of(nodes, "2")
        self.collectors = self.site("a")
        for name in ("slots", "masters", "bad"):
            (directory / name).write_text("")

    def site(self, *addresses: str) -> Any:
        """Collectors of the site that have no copies yet."""
        made = self.mirror.Collectors(addresses)
        for each in made._all:
            each.told = {"slot": {}, "master": {}}
        return made

    @property
    def told(self) -> dict[str, dict[str, int]]:
        """What the first collector has been told."""
        return self.collectors._all[0].told  # type: ignore[no-any-return]

    def slots(self, *ads: Any) -> None:
        (self.directory / "slots").write_text(json.dumps(ads))

    def cycle(self) -> str:
        """One cycle; what was sent."""
        self.refused, self.failed = self.mirror.cycle(POOL, self.plan, self.collectors)
        trace = self.directory / "sent"
        text = trace.read_text() if trace.exists() else ""
        trace.unlink(missing_ok=True)
        return text

    def copy(self, ad: Any, kind: str = "slot") -> dict[str, Any] | None:
        """An ad's copy, read as HTCondor reads it: an attribute a line."""
        made = self.copies.copy_of(self.copies.KINDS[kind], ad, self.plan)
        if made is None:
            return None
        name, text = made
        assert name == ad["Name"]
        # HTCondor ends lines at newlines alone, Python at some more; neither may find any within a value.
        assert text.splitlines() == text.removesuffix("\n").split("\n")
        return {line.split(" = ", 1)[0]: json.loads(line.split(" = ", 1)[1]) for line in text.splitlines()}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    monkeypatch.syspath_prepend(str(FILES))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name, text in TOOLS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\nHERE={tmp_path}\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return World(tmp_path, importlib.import_module("flock_mirror"))


def test_copies_what_is_new_marks_it_and_says_nothing_twice(world: World) -> None:
    world.slots(slot(), slot("f221"))
    first = world.cycle()
    assert first.startswith("== -pool a -tcp -multiple UPDATE_STARTD_AD -\n")
    assert first.count("FlockMirrored = true\n") == 2
    assert world.cycle() == ""
    world.slots(slot(Cpus=3), slot("f221"))
    assert world.cycle().count("\nName = ") == 1


def test_what_has_gone_is_invalidated_by_name_and_only_as_a_copy(world: World) -> None:
    world.told.update({"slot": {"slot1@f220.sips": 0}, "master": {"f220.sips": 0}})
    text = world.cycle()
    assert "== -pool a -tcp INVALIDATE_STARTD_ADS -" in text
    assert 'Requirements = FlockMirrored =?= True && member(Name, {"slot1@f220.sips"})' in text
    assert "== -pool a -tcp INVALIDATE_MASTER_ADS -" in text
    assert text.count("Requirements") == text.count("Requirements = FlockMirrored =?= True && ") == 2


def test_all_copies_go_by_the_mark_alone(world: World) -> None:
    assert world.collectors.forget() == []
    text = (world.directory / "sent").read_text()
    assert text.count("Requirements = FlockMirrored =?= True\n") == text.count("Requirements") == 2


def test_a_silent_collector_is_no_reason_to_invalidate(world: World) -> None:
    world.told["slot"] = {"slot1@f220.sips": 0}
    (world.directory / "condor_status").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(world.mirror.Failure):
        world.cycle()
    assert not (world.directory / "sent").exists()


def test_what_cannot_be_read_costs_its_own_containers_copies_alone(world: World) -> None:
    world.slots(slot(), slot("f221"))
    world.cycle()
    (world.directory / "bad").write_text("f221.sips")
    world.slots(slot(Cpus=1))
    text = world.cycle()
    assert "Cpus = 1\n" in text and "INVALIDATE" not in text
    assert world.refused == {"f221.sips"} and set(world.told["slot"]) == {"slot1@f220.sips", "slot1@f221.sips"}


DEAD = '{ echo "== $*"; cat; } >>$HERE/sent; case "$*" in *"-pool b "*) echo nobody there; exit 1 ;; esac'


def test_a_dead_collector_keeps_nothing_from_the_other(world: World) -> None:
    world.collectors = world.site("b", "a")
    tool = world.directory / "condor_advertise"
    alive = tool.read_text()
    tool.write_text(f"#!/bin/sh\nHERE={world.directory}\n{DEAD}\n")
    world.slots(slot(), slot("f221"))
    assert world.cycle().count("== -pool a -tcp -multiple UPDATE_STARTD_AD -") == 1
    assert [said.startswith("collector b: condor_advertise -pool b") for said in world.failed] == [True]
    world.slots(slot())
    assert "== -pool a -tcp INVALIDATE_STARTD_ADS -" in world.cycle()
    # It comes back, empty: it gets everything, the other nothing twice.
    tool.write_text(alive)
    text = world.cycle()
    assert world.failed == [] and "-pool a " not in text
    assert text.count("FlockMirrored = true\n") == 1 and "== -pool b -tcp -multiple UPDATE_STARTD_AD -" in text


def test_a_collector_that_hangs_keeps_nothing_from_the_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.mirror, "PATIENCE_S", 0.5)
    world.collectors = world.site("b", "a")
    go = world.directory / "go"
    hung = DEAD.replace("echo nobody there; exit 1", "while [ ! -e $HERE/go ]; do sleep 0.1; done")
    (world.directory / "condor_advertise").write_text(f"#!/bin/sh\nHERE={world.directory}\n{hung}\n")
    for cpus in (1, 2, 3):
        world.slots(slot(Cpus=cpus))
        assert f"Cpus = {cpus}\n" in world.cycle().split("== -pool a ")[-1]
        assert world.failed == ["collector b: no answer yet"]
    go.write_text("")
    for _ in range(100):
        text = world.cycle()
        if not world.failed and "-pool b " in text:
            break
    assert "Cpus = 3\n" in text


@pytest.mark.parametrize("tool", ["while :; do echo xxxxxxxxxxxxxxxxxxxxxxx; done", "sleep 60", "printf '[{'", "echo 1"])
def test_an_answer_has_its_limits(world: World, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    monkeypatch.setattr(world.mirror, "TIMEOUT_S", 1)
    (world.directory / "condor_status").write_text(f"#!/bin/sh\n{tool}\n")
    with pytest.raises(world.mirror.Failure):
        world.mirror.query(world.copies.KINDS["slot"], POOL, world.plan)


def test_deep_lists_are_no_crash(world: World) -> None:
    (world.directory / "slots").write_text("[" * 100_000)
    with pytest.raises(world.mirror.Failure):
        world.mirror.query(world.copies.KINDS["slot"], POOL, world.plan)


def test_an_honest_ad_is_copied(world: World) -> None:
    """The control of what follows."""
    copy = world.copy(slot())
    assert copy == {
        **slot(),
        "StartdIpAddr": ADDRESS + TAIL,
        "FlockNode": True,
        "FlockHost": "p220",
        "FlockMirrored": True,
    }
    master = {**slot(), "Name": "f220.sips", "MyType": "DaemonMaster"}
    assert (world.copy(master, "master") or {}).get("MasterIpAddr") == ADDRESS + TAIL
    assert world.copy(slot(Name="slot1_2@f220.sips")) is not None


def test_an_ad_cannot_bring_the_mark_itself(world: World) -> None:
    forged = slot(FlockMirrored=False, flockmirrored="\n", FlockNode="/Expr(Bomb40)/", FlockHost="p221", FLOCKNODE=False)
    copy = world.copy(forged)
    assert copy is not None and (copy["FlockMirrored"], copy["FlockNode"], copy["FlockHost"]) == (True, True, "p220")


HOSTILE = [
    None,
    "/Expr(Bomb40)/",
    'x\n\nName = "slot1@p220.site.test"',
    "a\u2028b = 1",
    *("a" + character + "b" for character in "\r\x0b\x0c\x1c\x1d\x1e\x85\u2029\x00\x7f\"\\'`$\u0430\u202e\ufeff"),
    "x" * 10_000_000,
    "",
    float("nan"),
    float("inf"),
    -1e300,
    2**62,
    -(2**63),
    True,
    [],
    [1, 2],
    {"a": 1},
]


@pytest.mark.parametrize("attribute", ["Cpus", "LoadAvg", "State", "PartitionableSlot", "JobStart", "RemoteOwner", "Memory"])
def test_a_value_that_is_not_plain_is_left_out(world: World, attribute: str) -> None:
    taken = []
    for value in HOSTILE:
        copy = world.copy(slot(**{attribute: value}))
        assert copy is not None and copy["Name"] == "slot1@f220.sips"
        taken += [value] if attribute in copy else []
    assert taken == ([True] if attribute == "PartitionableSlot" else [])


NAMES = [
    *HOSTILE,
    "slot2@f220.sips",
    "slot1_3@f220.sips",
    "slot1_0@f220.sips",
    "slot1_01@f220.sips",
    "slot1_\u0661@f220.sips",
    "slot1_99999999999@f220.sips",
    "SLOT1@f220.sips",
    "slot1@F220.sips",
    "slot1@f220.sips\n",
    "slot1@slot1@f220.sips",
    "@f220.sips",
    "f220.sips",
    "slot1@p220.site.test",
    "slot1@f221.sips",
    "slot1@f222.sips",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_a_name_that_is_not_the_containers_own_has_no_copy(world: World, name: Any) -> None:
    assert world.copy(slot(Name=name)) is None
    assert name == "f220.sips" or world.copy(slot(MyType="DaemonMaster", Name=name), "master") is None


@pytest.mark.parametrize(
    "values",
    [
        {"Machine": "p220.site.test"},
        {"MyType": "Query"},
        *({"FlockOpenUntil": value} for value in HOSTILE if value is not None),
        {"MyType": "machine"},
        *({"MyAddress": value} for value in HOSTILE),
        {"MyAddress": (ADDRESS + TAIL).replace("<10.27.2.220", "<10.27.1.220")},
        {"MyAddress": (ADDRESS + TAIL).replace("addrs=10.27.2.220", "addrs=10.27.1.220")},
        {"MyAddress": (ADDRESS + TAIL).replace("&noUDP", "&PrivAddr=%3c10.27.1.220:9618%3e&noUDP")},
        {"MyAddress": ADDRESS + "+10.27.1.220-9618" + TAIL},
        {"MyAddress": ADDRESS + TAIL + "\n"},
    ],
    ids=lambda values: ascii(values)[:40],
)
def test_an_ad_that_is_not_the_containers_own_has_no_copy(world: World, values: dict[str, Any]) -> None:
    assert world.copy(slot(**values)) is None


@pytest.mark.parametrize("ad", [None, 1, "x", [], [slot()], {}])
def test_what_is_no_ad_has_no_copy(world: World, ad: Any) -> None:
    assert world.copies.copy_of(world.copies.KINDS["slot"], ad, world.plan) is None


def test_the_log_begins_anew_when_it_is_full(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.mirror, "LOG_BYTES", 40)
    for word in ("one", "two", "three"):
        world.mirror.say(tmp_path / "log", word)
    assert [line.split()[-1] for line in (tmp_path / "log").read_text().splitlines()] == ["three"]
