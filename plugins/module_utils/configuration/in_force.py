# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what our snippets say is what HTCondor's daemons will see. Sentences where it is not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .assignments import Assignment, assignments
from .definitions import Definition
from .extension import variants
from .lookup import daemons_named, order, permission
from .tools import DaemonView

# Daemons that another one starts, not the master.
_STARTED_BY = {"SCHEDD": ("SHADOW",), "STARTD": ("STARTER",)}
_WORDS = re.compile(r"[\w.:/@*$()+-]+", re.ASCII)
_SHOWN = 200


@dataclass(frozen=True)
class Ours:
    """An assignment of one of our snippets."""

    assignment: Assignment
    file: str
    """The snippet."""


def assigned(snippets: Mapping[str, str]) -> dict[str, Ours]:
    """Return the last assignment of each name (in capitals); one that appends stands for those in other branches of an if."""
    found: dict[str, Ours] = {}
    for file, text in snippets.items():
        for each in assignments(text):
            before = found.get(each.name)
            if before is None or each.appends or not before.assignment.appends:
                found[each.name] = Ours(each, file)
    return found


def overridden(ours: Mapping[str, Ours], final: Mapping[str, Definition], files: Mapping[str, str]) -> list[str]:
    """Sentences about assignments that are not lists, and in whose place another definition is in force.

    ``files`` has the snippets' names by where they were read from.
    """
    found = []
    for name, mine in ours.items():
        if mine.assignment.words is not None:
            continue
        others = [name]
        if not mine.assignment.prefix and not permission(mine.assignment.base):
            others += [other for other in variants(mine.assignment.base, set(final)) if other not in ours]
        for other in others:
            definition = final.get(other)
            if definition is None:
                found.append(f"{other} is not defined: expected the value of {mine.file}, {mine.assignment.value!r}")
            elif definition.file not in files and not _same(mine.assignment.value, definition.raw):
                found.append(
                    f"{_seen(definition)}: expected {_short(mine.assignment.value)} of {mine.file} to be in force; take that line"
                    f" away, or put it where HTCondor reads it before {mine.file}"
                )
    return found


def _same(mine: str, other: str) -> bool:
    if mine == other:
        return True
    lists = [value.replace(",", " ").split() for value in (mine, other)]
    return all(_WORDS.fullmatch(word) for words in lists for word in words) and bool(lists[0]) and set(lists[0]) <= set(lists[1])


def daemons(started: Iterable[tuple[str, str, str]], names: Iterable[str]) -> list[DaemonView]:
    """Return whose view is to be asked for.

    ``started`` are the daemons of DAEMON_LIST, with their programs and arguments; ``names`` are defined.
    """
    found: dict[str, DaemonView] = {"SHARED_PORT": DaemonView("SHARED_PORT")}
    for name, program, arguments in started:
        words = arguments.split()
        local = words[words.index("-local-name") + 1] if "-local-name" in words[:-1] else ""
        subsystem = program.rpartition("/")[2].removeprefix("condor_").upper() if local else name
        found[local or name] = DaemonView(subsystem, local)
        for child in _STARTED_BY.get(name, ()):
            found[child] = DaemonView(child)
    for name in daemons_named(names):
        found.setdefault(name, DaemonView(name))
    return [found[name] for name in sorted(found)]


def lists_of(ours: Mapping[str, Ours], daemon: DaemonView) -> dict[str, Ours]:
    """Return what is appended to lists that this daemon sees, by the list's base name: its own before those for all."""
    found = {}
    for mine in ours.values():
        base = mine.assignment.base.upper()
        parts = permission(base)
        if parts and parts[2]:
            # Looked for together with the list that has no daemon's name.
            continue
        # What is for a subsystem is not for another daemon of its kind that has a name, and lists, of its own.
        prefix = (daemon.local_name or daemon.subsystem).upper()
        own = [f"{prefix}.{base}", base] if prefix else [base]
        nearest = next((ours[name] for name in own if name in ours), None)
        if nearest is mine and mine.assignment.words is not None:
            found[base] = mine
    return found


def questions(lists: Mapping[str, Ours], daemon: DaemonView) -> dict[str, str]:
    """What HTCondor has to expand for this daemon: the lists, wherever they may be, and what we append."""
    texts = {}
    for base, mine in lists.items():
        for name in order(base, daemon.subsystem, daemon.local_name):
            bare = name.rpartition(".")[2]
            texts[bare] = f"$({bare})"
        texts[f"+{base}"] = " ".join(mine.assignment.words or [])
    return texts


def lost(
    lists: Mapping[str, Ours], daemon: DaemonView, answers: Mapping[str, str], final: Mapping[str, Definition]
) -> dict[str, str]:
    """Sentences about lists that do not have what we append in this daemon's view, by the definition that is in force."""
    found = {}
    for base, mine in lists.items():
        names = order(base, daemon.subsystem, daemon.local_name)
        value = next((answers[bare] for bare in (name.rpartition(".")[2] for name in names) if answers[bare]), "")
        there = value.replace(",", " ").split()
        missing = [word for word in answers[f"+{base}"].replace(",", " ").split() if word not in there]
        if missing:
            winner = next((final[name] for name in names if name in final and final[name].raw), None)
            seen = _seen(winner) if winner else f"{base} has no value for {daemon}"
            name = winner.name if winner else base
            found[name.upper()] = (
                f"{seen}: expected {' '.join(missing)} in it, which {mine.file} appends; keep $({name}) in that line, or put it"
                f" where HTCondor reads it before {mine.file}"
            )
    return found


def _seen(definition: Definition) -> str:
    return f"{definition.name} is {_short(repr(' '.join(definition.raw.split())))} ({definition.place})"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
