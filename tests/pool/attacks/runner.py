"""Makes many attacks side by side, on one ground."""

from __future__ import annotations

import contextlib
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from . import self_made
from .answer import Answer
from .attack import Attack
from .ground import HERE, Ground

_PATIENCE = 240
"""Seconds for all the jobs of one ground."""
_Answers = dict[str, Answer]


def controls(ground: Ground, attacks: list[Attack]) -> _Answers:
    """Make the attacks where there is no protection."""
    return _side_by_side(ground, [attack for attack in attacks if attack.control_rules is None])


def attempts(ground: Ground, attacks: list[Attack]) -> tuple[_Answers, _Answers]:
    """Make the attacks against the switch: what came of them, and of the controls of those that rules are to stop."""
    answers = _side_by_side(ground, [attack for attack in attacks if not attack.rules])
    without: _Answers = {}
    ruled = [attack for attack in attacks if attack.rules]
    for rules in dict.fromkeys(attack.control_rules for attack in ruled):
        if rules is not None:
            ground.set(rules)
            without |= _side_by_side(ground, [attack for attack in ruled if attack.control_rules == rules], "rules")
    for rules in dict.fromkeys(attack.rules for attack in ruled):
        ground.set(rules)
        answers |= _side_by_side(ground, [attack for attack in ruled if attack.rules == rules])
    return answers, without


def _side_by_side(ground: Ground, attacks: list[Attack], without: str = "") -> _Answers:
    """``without``: what the job is told to be the control of, on a ground with the switch."""
    site = ground.site
    jobs = {}
    victim = ""
    if any(attack.script is self_made.SCRIPT for attack in attacks):
        environment = {"SECRET_OF_BOB": "yes", "CARELESS": "yes"}
        victim = ground.submit("victim.py", (HERE / "victim.py").read_text(), environment=environment, user="bob")
        site.pool.wait_job(site.cm, victim, 2)
        jobs = _submit_self_made(ground, attacks)
    single = [attack for attack in attacks if attack.script is not self_made.SCRIPT]
    for attack in single:
        if attack.script:
            control = without if ground.protected else attack.control
            jobs[attack.name] = ground.submit(
                attack.name, attack.script, *attack.lines, control=control, environment=attack.environment, user=attack.user
            )
    with ThreadPoolExecutor(max_workers=len(single) or 1) as threads:
        for attack in single:
            if attack.during:
                threads.submit(_interfere, ground, attack, jobs[attack.name])
    awaited = [cluster for name, cluster in jobs.items() if name not in {attack.name for attack in single if attack.endless}]
    with contextlib.suppress(AssertionError):
        # A job that never ends is an answer too.
        site.pool.wait(lambda: all(map(ground.ended, awaited)), "the end of all attacks", _PATIENCE)
    if victim and not ground.started(victim):
        raise AssertionError("bob's job, which was to be attacked, has ended")
    answers = _answers_of_self_made(ground, jobs)
    for attack in single:
        with _told(attack):
            answer = _judge(ground, attack, jobs.get(attack.name, ""))
            if answer:
                answers[attack.name] = answer
            else:
                print(f"{attack.name} has no answer: {ground.fate(jobs[attack.name])}")
    site.cm.run(["condor_rm", "-all"], check=False)
    with contextlib.suppress(AssertionError):
        site.pool.wait(lambda: not site.p220.pids("condor_starter"), "the end of the last jobs", 30)
    return answers


def _interfere(ground: Ground, attack: Attack, cluster: str) -> None:
    with _told(attack):
        assert attack.during
        attack.during(ground, cluster)


@contextlib.contextmanager
def _told(attack: Attack) -> Iterator[None]:
    """An attack without an answer is a failure of its own, and none of the others'."""
    try:
        yield
    except (AssertionError, OSError, LookupError, subprocess.SubprocessError) as error:
        print(f"{attack.name}: {error!r}"[:2000])


def _submit_self_made(ground: Ground, attacks: list[Attack]) -> dict[str, str]:
    groups: dict[str, list[str]] = defaultdict(list)
    for attack in attacks:
        if attack.script is self_made.SCRIPT:
            groups["" if ground.protected else attack.control].append(attack.name)
    return {
        f"inside-{control}": ground.submit(
            f"inside-{control}", self_made.SCRIPT, f"arguments = {' '.join(names)}", control=control
        )
        for control, names in groups.items()
    }


def _answers_of_self_made(ground: Ground, jobs: dict[str, str]) -> _Answers:
    answers = {}
    for job in jobs:
        if job.startswith("inside-"):
            for line in ground.output(job).splitlines():
                word, _, rest = line.partition(" ")
                name, _, what = rest.partition(": ")
                if word in ("BREACH", "blocked"):
                    answers[name] = Answer(word == "BREACH", what)
    return answers


def _judge(ground: Ground, attack: Attack, cluster: str) -> Answer | None:
    if attack.judge:
        return attack.judge(ground, cluster)
    lines = ground.output(attack.name, user=attack.user).splitlines()
    for line in lines:
        if line.startswith("BREACH "):
            return Answer(True, line.partition(" ")[2])
    return Answer(False, lines[-1]) if lines else None
