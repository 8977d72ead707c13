"""The flocking container under attack by its jobs: the switch's suite where HTCondor's own switch is at work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attacks import on_container
from attacks.answer import Answer
from attacks.attack import Attack, Outcome, table
from attacks.ground import HERE
from fold import SECRET, SLOT_USER, Fold

_REPORT = Path(__file__).resolve().parents[2] / "build/reports/attacks-container.txt"
_INSIDE = (HERE / "inside.py").read_text()
_OPEN = (f"--user={SLOT_USER}", "--group-add=600")
_WATCHER = ("--user=0:0", "--pid=container:flock_startd", "--cap-add=SYS_PTRACE")
# A descriptor to find, and a parent of the same user.
_CALLED = ("sh", "-c", 'exec 9</etc/hostname; python3 -I - "$@"; true', "sh")
_KILL_STARTER = "kill -9 $(cd /proc && grep -l '^condor_starter$' [0-9]*/comm | cut -d / -f 1)"
# All cores of the container: the job starts when every slot is free, so it is in the first one, SLOT_USER's.
_FIRST_SLOT = "request_cpus = 2"
_Answers = dict[str, Answer]


@pytest.fixture(scope="module")
def fold() -> Iterator[Fold]:
    with Fold() as made:
        yield made


@pytest.fixture(scope="module")
def outcomes(fold: Fold) -> Iterator[dict[str, Outcome]]:
    """What came of every attack; the table of them goes to ``build/reports``."""
    found: dict[str, Outcome] = {}
    yield found
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.write_text(table(list(found.values())))


def told(text: str) -> Answer:
    """The answer of an attack that prints ``BREACH …`` or anything else."""
    words = (text.strip().splitlines() or ["no output"])[-1]
    return Answer(words.startswith("BREACH "), words.removeprefix("BREACH "))


def answers(text: str) -> _Answers:
    """The answers that inside.py prints."""
    lines = (line.partition(" ") for line in text.splitlines())
    pairs = ((word, rest.partition(": ")) for word, _, rest in lines if word in ("BREACH", "blocked"))
    return {name: Answer(word == "BREACH", what) for word, (name, _, what) in pairs}


def controls(fold: Fold, victims: str) -> _Answers:
    """The attacks of inside.py where less is done against them."""
    by_kind: dict[str, list[str]] = {}
    for attack in on_container.SELF_MADE:
        by_kind.setdefault(attack.control, []).append(attack.name)
    python = ("python3", "-I", "-")
    text = fold.beside(*python, *by_kind["root"], stdin=_INSIDE)
    text += fold.beside(*python, *by_kind["same"], user=victims, stdin=_INSIDE)
    text += fold.apart(*_CALLED, *by_kind["open"], options=_OPEN, stdin=_INSIDE)
    text += fold.apart(*python, *by_kind["watcher"], options=_WATCHER, stdin=_INSIDE)
    text += fold.on_the_node(*python, *by_kind["node"], stdin=_INSIDE)
    return answers(text)


def check(outcomes: dict[str, Outcome], attack: Attack, control: Answer | None, protected: Answer | None) -> None:
    outcome = outcomes[attack.name] = Outcome(attack, control, protected)
    assert not outcome.verdict.startswith("FAILED"), f"{outcome.verdict}: {control} / {protected}"


@pytest.fixture(scope="module")
def self_made(fold: Fold) -> tuple[_Answers, _Answers]:
    """Answers of inside.py: of the controls, and of the job."""
    fold.beside("touch", "/tmp/of-the-host")
    victim = fold.submit("victim.py", (HERE / "victim.py").read_text(), user="bob", SECRET_OF_BOB="yes")
    fold.rig.pool.wait_job(fold.rig.cm, victim, 2)
    attacker = fold.run("inside.py", _INSIDE, " ".join(attack.name for attack in on_container.SELF_MADE))
    without = controls(fold, SLOT_USER)
    fold.rig.cm.run(["condor_rm", victim])
    fold.rig.pool.wait(lambda: fold.status(victim) == 3, "the end of bob's job")
    return without, answers(attacker)


@pytest.mark.parametrize("attack", on_container.SELF_MADE, ids=lambda attack: attack.name)
def test_self_made(attack: Attack, self_made: tuple[_Answers, _Answers], outcomes: dict[str, Outcome]) -> None:
    without, found = self_made
    check(outcomes, attack, without.get(attack.name), found.get(attack.name))


def _outlived(fold: Fold) -> Answer:
    count = fold.sleepers(on_container.STRAY_SECONDS)
    return Answer(bool(count), f"{count} processes outlived the job" if count else "none is left")


def _stray_of_a_shell(fold: Fold) -> Answer:
    """As one would run a job in a container: its end is its first process's end."""
    fold.beside("python3", "-I", "-", user=SLOT_USER, stdin=on_container.STRAY)
    found = _outlived(fold)
    fold.beside("sh", "-c", "kill -KILL -1", user=SLOT_USER)
    return found


def test_a_stray_dies_with_its_job(fold: Fold, outcomes: dict[str, Outcome]) -> None:
    control = _stray_of_a_shell(fold)
    fold.run("stray", on_container.STRAY)
    check(outcomes, on_container.STRAYS, control, _outlived(fold))


def test_nothing_survives_its_starter(fold: Fold, outcomes: dict[str, Outcome]) -> None:
    control = _stray_of_a_shell(fold)
    cluster = fold.submit("starter-killed", on_container.STRAY, "wait")
    fold.rig.pool.wait(lambda: fold.sleepers(on_container.STRAY_SECONDS) == 1, "the stray")
    fold.beside("sh", "-c", _KILL_STARTER)
    fold.rig.cm.run(["condor_rm", cluster])
    fold.rig.pool.wait(lambda: fold.status(cluster) == 3, "a removed job")
    check(outcomes, on_container.STARTER, control, _outlived(fold))


def test_a_job_cannot_end_its_starter(fold: Fold, outcomes: dict[str, Outcome]) -> None:
    shells = "cat >/tmp/attack; sh -c 'sh /tmp/attack; true'; sleep 3"
    control = told(fold.apart("sh", "-c", shells, options=_OPEN, stdin=on_container.ALL_SIGNALS))
    check(outcomes, on_container.PARENT, control, told(fold.run("parent-signalled", on_container.ALL_SIGNALS)))


def test_the_next_job_finds_nothing_of_the_last(fold: Fold, outcomes: dict[str, Outcome]) -> None:
    fold.run("leave.py", on_container.LEAVE, lines=_FIRST_SLOT)
    control = told(fold.beside("python3", "-I", "-", user=SLOT_USER, stdin=on_container.FIND))
    check(outcomes, on_container.LEFTOVERS, control, told(fold.run("find.py", on_container.FIND, lines=_FIRST_SLOT)))


def test_what_cannot_be_removed_keeps_the_slot_empty(fold: Fold) -> None:
    """A directory of the slot's user's with another's in it, which neither may remove."""
    fold.beside("sh", "-c", "mkdir -m 1777 /tmp/mine", user=SLOT_USER)
    fold.beside("sh", "-c", "mkdir -m 1700 /tmp/mine/yours; touch /tmp/mine/yours/file", user="60002:60002")
    cluster = fold.submit("refused", "#!/bin/sh\necho it ran\n", lines=_FIRST_SLOT)
    refused = "something of flockslot1's cannot be removed: /tmp/mine"
    log = "/var/log/condor/FlockStarterLog"
    fold.rig.pool.wait(lambda: refused in fold.beside("cat", log), "the refusal")
    fold.rig.cm.run(["condor_rm", cluster])
    assert fold.output("refused") == ""
    fold.beside("rm", "-r", "/tmp/mine/yours", user="60002:60002")
    assert fold.run("again", "#!/bin/sh\necho it ran\n", lines=_FIRST_SLOT) == "it ran\n"


def test_links_out_of_the_sandbox_bring_nothing_home(fold: Fold, outcomes: dict[str, Outcome]) -> None:
    fold.run("links", on_container.LINKS, lines=on_container.LINKS_BACK)
    came = [name for name in ("stolen", "directory/stolen") if fold.output("links", name)]
    control = Answer(bool(fold.beside("cat", SECRET)), "the container's root, which the starter is, can read it")
    check(outcomes, on_container.OUTPUT, control, Answer(bool(came), f"{came} came back"))


def test_a_fork_bomb_is_held(fold: Fold, outcomes: dict[str, Outcome]) -> None:
    control = told(fold.apart("python3", "-I", "-", options=_OPEN, stdin=on_container.BOMB))
    fold.run("bomb", on_container.BOMB)
    check(outcomes, on_container.FORK_BOMB, control, told(fold.output("bomb")))
    # HTCondor's daemons had no process left meanwhile, and go on.
    assert fold.run("after", "#!/bin/sh\necho it ran\n") == "it ran\n"
