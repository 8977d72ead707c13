# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which machines could run a job of each group of idle jobs.

It runs in the process of ``worker.py`` and is given the bindings' modules; like that file it imports nothing of ours.

Thousands of groups that differ by the memory or the disk that they ask for are one class: their requirements are evaluated once
for all of them and for all slots that look alike to them. Slots are bits of a number, so that what is left for each group is to
intersect some sets of slots, and machines are named once for each set of them.
"""

from __future__ import annotations

import contextlib
import json
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

SETS_MOST = 64
"""sets of machines that are told apart; the groups of the others count wherever one of them could run"""
# As the texts that they are: 1, 1.0 and true are not the same to every expression.
_SHOWN = json.JSONDecoder(strict=False, parse_int=str.encode, parse_float=str.encode).decode
_MISSING = b""
"""no number"""
_NOT_PLAIN = ("/Expr(", "[", "{")
"""how an expression, a list and an ad begin as texts"""
_PLAIN = b"a plain value"
"""of a slot's attribute of which a job asks no more than whether it is enough, or the same as its own"""


def _unscoped(names: Iterable[str]) -> set[str]:
    return {name for name in names if name and "." not in name}


def _references(job: Any) -> tuple[set[str], set[str]]:
    """What a job's requirements ask of a machine: attributes with ``TARGET.``, and those without that the job has not."""
    if "Requirements" not in job:
        return set(), set()
    outside = job.externalRefs(job.lookup("Requirements"))
    return {name.split(".", 1)[1] for name in outside if name.upper().startswith("TARGET.")}, _unscoped(outside)


def _runs(job: Any, slot: Any, unscoped: set[str]) -> bool:
    """Whether a job's requirements hold on a slot."""
    # The bindings look for a name without a scope in the job alone; HTCondor's matchmaking goes on to the machine.
    lent = [name for name in unscoped if name not in job and name in slot]
    for name in lent:
        job[name] = slot.lookup(name)
    try:
        return bool(slot.matches(job))
    finally:
        for name in lent:
            del job[name]


class _Slot:
    """A slot as if it were empty."""

    def __init__(self, ad: Any, wanted: Mapping[str, str]) -> None:
        """``wanted``: names by the same in small letters, those of which a job may ask."""
        self._ad = ad
        # The bindings print an ad several times faster than its values can be asked for one by one.
        shown = {
            name.lower(): str(value) if type(value) in (list, dict) else value for name, value in _SHOWN(ad.printJson()).items()
        }
        self.machine = str(shown.get("machine"))
        self._taken: list[str] = []
        """of what a partitionable slot is to be given back what its dynamic slots have taken"""
        if shown.get("partitionableslot") is True:
            for small, name in wanted.items():
                if f"totalslot{small}" in shown:
                    shown[small] = shown[f"totalslot{small}"]
                    self._taken.append(name)
        self.values = tuple(shown.get(small, _MISSING) for small in wanted)
        """only to be compared, in the order of ``wanted``: numbers are texts"""

    @property
    def ad(self) -> Any:
        """Its ad, emptied."""
        for name in self._taken:
            self._ad[name] = self._ad.lookup(f"TotalSlot{name}")
        self._taken = []
        return self._ad


def _is_number(value: Any) -> bool:
    return type(value) is bytes and value != _MISSING


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not value.startswith(_NOT_PLAIN)


class _Question:
    """What all slots answer to one question about an attribute: is it enough (a number), or the same (a text)?"""

    def __init__(self, values: Sequence[Any], kind: type) -> None:
        is_plain, key = (_is_text, str.lower) if kind is str else (_is_number, float)
        self.looks = [_PLAIN if is_plain(value) else value for value in values]
        """what is no plain value is looked at as it is"""
        ordered = sorted((key(value), position) for position, value in enumerate(values) if is_plain(value))
        self._keys = [value for value, _position in ordered]
        self._positions = [position for _value, position in ordered]
        self.plain = _set(self._positions)
        """the slots with a plain value"""
        self._yes: dict[Any, int] = {}

    def yes(self, asked: float | str) -> int:
        """The slots that have at least this number, or this text without regard to case."""
        if asked not in self._yes:
            end = bisect_right(self._keys, asked) if isinstance(asked, str) else len(self._keys)
            self._yes[asked] = _set(self._positions[bisect_left(self._keys, asked) : end])
        return self._yes[asked]


class _Slots:
    """All slots, and what was asked of them."""

    def __init__(self, slots: Sequence[_Slot], names: Iterable[str]) -> None:
        """``names``: of the attributes that they have values of, in small letters, in that order."""
        self.all = slots
        self._index = {name: index for index, name in enumerate(names)}
        self._questions: dict[tuple[str, type], _Question] = {}

    def values(self, name: str) -> list[Any]:
        """An attribute of each."""
        index = self._index[name]
        return [slot.values[index] for slot in self.all]

    def question(self, name: str, kind: type) -> _Question:
        """A question about an attribute; all jobs ask the same one."""
        if (name, kind) not in self._questions:
            self._questions[name, kind] = _Question(self.values(name), kind)
        return self._questions[name, kind]


def _set(positions: Iterable[int]) -> int:
    """A set of slots as a number."""
    found = bytearray()
    for position in positions:
        if position >> 3 >= len(found):
            found.extend(bytes((position >> 3) + 1 - len(found)))
        found[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(found, "little")


def _members(slots: int) -> Iterator[int]:
    """The positions in a set of slots."""
    for index, byte in enumerate(slots.to_bytes((slots.bit_length() + 7) // 8, "little")):
        if byte:
            yield from (8 * index + bit for bit in range(8) if byte >> bit & 1)


def _questions(job: Any, names: Iterable[str]) -> tuple[dict[str, float | str], set[str]]:
    """What a job asks one question of a machine about, and its own attributes that are for that alone, by names in small letters.

    ``TARGET.Disk >= RequestDisk`` and ``TARGET.FileSystemDomain == MY.FileSystemDomain`` are what condor_submit adds. No two
    machines have the same free disk, and by default none the same domain: without this each would have to be compared with
    each job. What a job looks at in any other way as well is not among them.
    """
    text, own = str(job).lower(), {name.lower(): name for name in job}
    found: dict[str, float | str] = {}
    private: set[str] = set()
    if "eval(" in text:
        return found, private
    counted: Counter[str] = Counter(re.findall(r"[a-z0-9_]+", text))

    def compared(words: str) -> int:
        return len(re.findall(rf"\b{words}\b", text))

    for name in {name.lower() for name in names}:
        word, requested = re.escape(name), f"request{name}"
        if requested in own:
            times = compared(rf"target\.{word} >= request{word}")
            least = job.eval(own[requested]) if times == counted[name] else None
            if isinstance(least, (int, float)) and not isinstance(least, bool):
                found[name] = float(least)
                if counted[requested] == 1 + times:
                    private.add(requested)
        elif name in own and counted[name] == 1 + 2 * compared(rf"target\.{word} == my\.{word}"):
            same = job.eval(own[name])
            if type(same) is str:
                found[name] = same.lower()
                private.add(name)
    return found, private


class _Job:
    """A job of a group, as one of a class: those that differ only by how much they ask for."""

    def __init__(self, ad: Any) -> None:
        self.ad = ad
        target, self.own = _references(ad)
        self.names = target | self.own
        """what it asks of a machine"""
        self.asked, private = _questions(ad, target - self.own)
        self.plain = tuple(sorted(name.lower() for name in self.names if name.lower() not in self.asked))
        self.questions = tuple(sorted((name, type(value)) for name, value in self.asked.items()))
        rest = sorted((name.lower(), str(ad.lookup(name))) for name in ad if name.lower() not in private)
        self.alike = (self.plain, self.questions, tuple(rest))


class _Class:
    """Jobs that differ only by how much they ask for, and where they were seen to run."""

    def __init__(self, first: _Job, slots: _Slots) -> None:
        self._slots = slots.all
        self._questions = [(name, slots.question(name, kind)) for name, kind in first.questions]
        columns = [slots.values(name) for name in first.plain] + [question.looks for _name, question in self._questions]
        looks: dict[tuple[Any, ...], list[int]] = {}
        for position, look in enumerate(zip(*columns) if columns else [()] * len(self._slots)):
            looks.setdefault(look, []).append(position)
        self._alike: dict[int, int] = {}
        """by the position of each slot, those that look like it"""
        for positions in looks.values():
            self._alike.update(dict.fromkeys(positions, _set(positions)))
        self._tried: dict[tuple[Any, ...], tuple[int, int]] = {}
        """by the answers to the questions: the slots whose look was tried, and those of them that could run it"""

    def _parts(self, job: _Job) -> list[tuple[tuple[Any, ...], int]]:
        """The slots by their answers to a job's questions; None for those that have no plain value."""
        parts: list[tuple[tuple[Any, ...], int]] = [((), (1 << len(self._slots)) - 1)]
        for name, question in self._questions:
            yes, plain = question.yes(job.asked[name]), question.plain
            split = ((True, yes), (False, plain & ~yes), (None, ~plain))
            parts = [((*answers, answer), slots & of) for answers, slots in parts for answer, of in split if slots & of]
        return parts

    def runs(self, job: _Job) -> int:
        """The slots on which a job of this class could run."""
        found = 0
        for answers, slots in self._parts(job):
            tried, good = self._tried.get(answers, (0, 0))
            rest = slots & ~tried
            while rest:
                position = (rest & -rest).bit_length() - 1
                alike = self._alike[position]
                tried |= alike
                if _runs(job.ad, self._slots[position].ad, job.own):
                    good |= alike
                rest &= ~alike
            self._tried[answers] = tried, good
            found |= slots & good
        return found


def _named(found: Sequence[int | None], slots: Sequence[_Slot], jobs: Sequence[int]) -> dict[str, Any]:
    """The answer: sets of machines, and for each group the number of its set and whether it has others' machines too."""
    everywhere = {slot.machine for slot in slots}
    names: dict[int | None, frozenset[str] | None] = {None: None}
    for each in found:
        if each is not None and each not in names:
            machines = frozenset(slots[position].machine for position in _members(each))
            names[each] = None if machines == everywhere and everywhere else machines
    weights: Counter[frozenset[str] | None] = Counter()
    for each, count in zip(found, jobs):
        weights[names[each]] += count
    kept = [machines for machines, _count in weights.most_common()]
    together: frozenset[str] = frozenset()
    if len(kept) > SETS_MOST:
        together = frozenset().union(*(machines for machines in kept[SETS_MOST - 1 :] if machines is not None))
        kept = kept[: SETS_MOST - 1] + ([None] if None in kept[SETS_MOST - 1 :] else [])
    number = {machines: position for position, machines in enumerate(kept)}
    return {
        "sets": [None if machines is None else sorted(machines) for machines in [*kept, together]],
        "of": [number.get(names[each], len(kept)) for each in found],
        "widened": [names[each] not in number for each in found],
    }


def matches(condor: Any, classad: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """For each group the machines whose empty slots could run one of its jobs, by sets of machines; None for all of them.

    ``groups``: an ad of each as text; ``jobs``: how many jobs it has. Where there are more than ``SETS_MOST`` sets, those with
    the fewest jobs are taken together: such a group counts wherever one of them could run.
    """
    jobs = [_Job(classad.ClassAd(text)) for text in request["groups"]]
    wanted = sorted({name for job in jobs for name in job.names})
    projection = ["Machine", "PartitionableSlot", *wanted, *(f"TotalSlot{name}" for name in wanted)]
    collector = condor.Collector(request["collector"] or None)
    small = {name.lower(): name for name in wanted}
    asked = collector.query(condor.AdType.Startd, constraint=request["constraint"], projection=projection)[::-1]
    slots: list[_Slot] = []
    while asked:
        # It can be compared with nothing; the others can.
        with contextlib.suppress(UnicodeDecodeError):
            slots.append(_Slot(asked.pop(), small))
    together = _Slots(slots, small)
    classes: dict[tuple[Any, ...], _Class] = {}
    found: list[int | None] = []
    for job in jobs:
        if not job.names and "Requirements" not in job.ad:
            found.append(None)
            continue
        if job.alike not in classes:
            classes[job.alike] = _Class(job, together)
        found.append(classes[job.alike].runs(job))
    return _named(found, slots, request["jobs"])
