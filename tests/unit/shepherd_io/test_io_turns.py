"""Two shepherds of a site: their files, their commands, and what they say in their hosts' collectors (here: a dictionary)."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.errors import CommandFailed, CondorError
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cli.main import main
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.configuration import (
    ConfigurationError,
    load,
    parse,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.observe import announcements
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.state.turns import Turns

ADDRESSES = {"a": "10.27.1.1", "b": "10.27.1.2"}


class TwoHosts:
    """The tools of HTCondor, for what a shepherd says and hears."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ads: dict[str, dict[str, Any]] = {}
        self.down: set[str] = set()
        for name, other in (("a", "b"), ("b", "a")):
            (directory / name).mkdir()
            values = {
                "state_directory": str(directory / name),
                "pool": {"collector": ADDRESSES[name], "flock_collector": "10.27.2.1"},
                "managers": {"name": name, "others": [f"{other} {ADDRESSES[other]}"], "begins": name == "a"},
            }
            self.configuration(name).write_text(json.dumps(values))

    def configuration(self, name: str) -> Path:
        return self.directory / f"{name}.json"

    def run(self, command: list[str], _deadline: float, _settings: Mapping[str, str] | None = None) -> str:
        address = command[command.index("-pool") + 1]
        if address in self.down:
            raise CommandFailed(command, 1, "", "no answer")
        if command[0] == "condor_advertise":
            lines = Path(command[-1]).read_text().splitlines()
            self.ads[address] = {name: json.loads(value) for name, value in (line.split(" = ", 1) for line in lines)}
            return ""
        assert f'Name == "{next(name for name, each in ADDRESSES.items() if each == address)}"' in command[5]
        return json.dumps([self.ads[address]]) if address in self.ads else ""

    def cycle(self, name: str, now: int = 0) -> str:
        """Why a cycle there does nothing."""
        return Turns(load(str(self.configuration(name)))).why_not(now or int(time.time()))

    def command(self, name: str, *words: str) -> tuple[int, str]:
        out, err = io.StringIO(), io.StringIO()
        status = main(["--config", str(self.configuration(name)), *words], out, err)
        return status, out.getvalue() + err.getvalue()

    def overrides(self, name: str) -> dict[str, str]:
        state = self.directory / name
        files = [*state.glob("flockoff"), *state.glob("flockoff.d/*"), *state.glob("holds.d/*")]
        return {str(path.relative_to(state)): path.read_text() for path in files}


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TwoHosts:
    made = TwoHosts(tmp_path)
    monkeypatch.setattr(announcements, "run", made.run)
    return made


@pytest.fixture
def begun(hosts: TwoHosts) -> TwoHosts:
    """``a`` acts, ``b`` stands by."""
    assert hosts.cycle("a") == "does not act before b has said that it stands by"
    assert hosts.cycle("b").startswith("stands by")
    assert hosts.cycle("a") == "acts from the next cycle on"
    assert hosts.cycle("a") == ""
    assert hosts.cycle("b") == "stands by: a acts"
    return hosts


def hold(hosts: TwoHosts, name: str) -> None:
    assert hosts.command(name, "hold", "p220", "--reason", 'new "disk" # 2', "--for", "2h")[0] == 0
    assert hosts.command(name, "off", "--reason", "power", "--node", "p221", "--evict")[0] == 0
    hosts.cycle(name)


def test_handed_over(begun: TwoHosts) -> None:
    hold(begun, "a")
    status, said = begun.command("b", "take-over")
    assert (status, said) == (1, "shepherd: a acts: expected one that stands by, run there: shepherd stand-by\n")
    status, said = begun.command("b", "take-over", "--other-is-dead")
    assert status == 1, said
    assert begun.command("a", "stand-by")[1].startswith("it stands by\n")
    # Not before it has said so, between two cycles.
    assert begun.command("b", "take-over")[0] == 1
    assert begun.cycle("a").startswith("stands by")
    (begun.directory / "b" / "memory.json").write_text("of an earlier turn")
    status, said = begun.command("b", "take-over")
    assert status == 0 and said.startswith("it acts, with the overrides of a\n"), said
    assert not (begun.directory / "b" / "memory.json").exists()
    assert (begun.cycle("b"), begun.cycle("a")) == ("", "stands by: b acts")
    assert begun.overrides("b") == begun.overrides("a")
    assert set(begun.overrides("b")) == {"holds.d/p220", "flockoff.d/p221"}


def test_taken_from_a_dead_one(begun: TwoHosts) -> None:
    hold(begun, "a")
    assert begun.cycle("b") == "stands by: a acts"
    begun.down.add(ADDRESSES["a"])
    status, said = begun.command("b", "take-over")
    assert status == 1
    assert said.startswith("shepherd: a does not say whether it acts: expected one that stands by, or --other-is-dead where")
    assert begun.command("b", "take-over", "--other-is-dead")[0] == 0
    assert begun.overrides("b") == begun.overrides("a")
    assert begun.cycle("b") == ""
    # Alive again: it looks before it does anything, and that the other one is not heard is no leave to act.
    later = int(time.time()) + 10_000
    begun.down.clear()
    begun.ads.clear()
    assert begun.cycle("a", later) == "does not act before b has said that it stands by, after a pause of its own"
    assert begun.cycle("b", later) == "does nothing while a acts too"
    assert begun.cycle("a", later) == "stands by from now on: b has taken over"
    assert (begun.cycle("b", later), begun.cycle("b", later), begun.cycle("a", later)) == ("", "", "stands by: b acts")


def test_what_was_held_by_an_unknown_one_is_looked_at_first(hosts: TwoHosts) -> None:
    hosts.down.add(ADDRESSES["a"])
    assert hosts.cycle("b").startswith("stands by")
    status, said = hosts.command("b", "take-over", "--other-is-dead")
    assert status == 0 and "lending is off here until you have looked, and run shepherd on" in said
    assert list(hosts.overrides("b")) == ["flockoff"]


def test_what_was_taken_back_elsewhere_does_not_come_again(begun: TwoHosts) -> None:
    hold(begun, "a")
    for one, other in (("a", "b"), ("b", "a")):
        begun.command(one, "stand-by")
        begun.cycle(one)
        assert begun.command(other, "take-over")[0] == 0
        begun.cycle(other)
        begun.command(other, "release", "p220")
        begun.cycle(other)
    assert set(begun.overrides("a")) == {"flockoff.d/p221"}


def test_an_override_is_refused_where_it_would_be_lost(begun: TwoHosts) -> None:
    status, said = begun.command("b", "hold", "p220", "--reason", "disk")
    assert status == 1
    assert said.endswith("run this where it acts, on a\n")
    assert begun.overrides("b") == {}


def test_one_that_stands_by_goes_on_to_when_the_others_leave_the_inventory(begun: TwoHosts) -> None:
    values = json.loads(begun.configuration("b").read_text())
    del values["managers"]
    begun.configuration("b").write_text(json.dumps(values))
    assert begun.cycle("b") == "stands by, and no other one says that it acts"
    assert begun.command("b", "take-over")[0] == 0
    assert begun.cycle("b") == ""


@pytest.mark.parametrize("file", ["turn", "acted", "carried"])
def test_a_broken_file_is_no_leave_to_act(begun: TwoHosts, file: str) -> None:
    (begun.directory / "a" / file).write_text("[1")
    begun.down.add(ADDRESSES["b"])
    assert (begun.cycle("a") == "") is (file == "carried")


def test_who_cannot_say_that_it_acts_does_not(begun: TwoHosts) -> None:
    begun.down.add(ADDRESSES["a"])
    with pytest.raises(CondorError):
        begun.cycle("a")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": "a b"}, "managers.name is 'a b': expected the name of this host."),
        ({"others": ['b" || true']}, "managers.others has 'b\" || true': expected a central manager's name"),
        ({"others": ["a"]}, "managers.others has 'a': expected other hosts than this one."),
        ({"others": []}, "managers.others is empty: expected the other central managers"),
    ],
)
def test_one_sentence(values: dict[str, Any], sentence: str) -> None:
    managers = {"name": "a", "others": ["b"], **values}
    with pytest.raises(ConfigurationError) as error:
        parse({"managers": managers, "pool": {"collector": "10.27.1.1"}})
    assert [each[: len(sentence)] for each in error.value.problems] == [sentence]
    with pytest.raises(ConfigurationError, match=r"^pool.collector is '': expected the address of this host's collector"):
        parse({"managers": {"name": "a", "others": ["b"]}})
