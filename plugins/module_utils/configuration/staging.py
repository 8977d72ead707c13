# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTCondor's configuration as it would be, in a directory beside the live one: read and checked by HTCondor itself."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .definitions import Definition
from .extension import extended
from .in_force import Ours, assigned, daemons, lists_of, lost, overridden, questions
from .lookup import pattern
from .tools import DaemonView, Refused, call, definitions, live_root, run, values

_CONDITION = re.compile(r"^\s*if\b", re.MULTILINE)


@dataclass(frozen=True)
class Expression:
    """A parameter that must be a ClassAd expression for a daemon."""

    name: str
    subsystem: str = ""
    local_name: str = ""


@dataclass(frozen=True)
class _Staged:
    """A configuration beside the live one."""

    directory: Path
    copy: Path
    directories: tuple[str, ...]
    """LOCAL_CONFIG_DIR, with the copy in it."""
    root: str

    def extended(self, snippets: Mapping[str, str]) -> dict[str, str]:
        """Return the snippets with lines for what the site has for single daemons, while none of them is there.

        Raises:
            Refused: HTCondor cannot read its configuration.
        """
        ours = assigned(snippets)
        if not ours:
            return dict(snippets)
        site = self._located(definitions(self.root, pattern(mine.assignment.base for mine in ours.values())))
        return {name: extended(text, site, set(ours)) for name, text in snippets.items()}

    def write(self, snippets: Mapping[str, str]) -> None:
        """Put snippets there; an empty one is none."""
        for name, text in snippets.items():
            if text:
                (self.copy / name).write_text(text)
                (self.copy / name).chmod(0o644)

    def check(self, snippets: Mapping[str, str], expressions: Iterable[Expression]) -> None:
        """Let HTCondor read the configuration as it would be, and see that what the snippets say is in force for its daemons.

        Raises:
            Refused: it cannot read it, a parameter is no expression, or another definition is in force.
        """
        run(["condor_config_val", "MASTER"], self.root, "HTCondor cannot read the configuration with these snippets")
        ours = assigned(snippets)
        if ours:
            self._check_in_force(snippets, ours)
        for expression in expressions:
            self._check_expression(expression)

    def _check_in_force(self, snippets: Mapping[str, str], ours: Mapping[str, Ours]) -> None:
        if any(_CONDITION.search(text) for text in snippets.values()):
            taken = self._taken(snippets)
            ours = {name: mine for name, mine in ours.items() if name in taken}
        final = self._located(definitions(self.root, pattern(mine.assignment.base for mine in ours.values())))
        found = overridden(ours, final, {str(self.directory / name): name for name in snippets})
        sentences: dict[str, str] = {}
        for daemon in daemons(self._started(), final):
            lists = lists_of(ours, daemon)
            if lists:
                sentences.update(lost(lists, daemon, values(self.root, daemon, questions(lists, daemon)), final))
        found += [sentences[name] for name in sorted(sentences)]
        if found:
            raise Refused("\n".join(found), ["condor_config_val", "-dump", "-verbose"], 0, "", "")

    def _taken(self, snippets: Mapping[str, str]) -> set[str]:
        """The names that HTCondor assigns in our snippets, which have conditions: what is read later is left out for this."""
        early = self.copy.parent / "early"
        shutil.copytree(self.copy, early)
        first = min(name for name, text in snippets.items() if text)
        for path in early.iterdir():
            if path.name > first and path.name not in snippets and path.is_file():
                path.unlink()
        before = self.directories[: self.directories.index(str(self.copy))]
        root = self.copy.parent / "early_config"
        lines = [Path(self.root).read_text(), f"LOCAL_CONFIG_DIR = {', '.join([*before, str(early)])}", "LOCAL_CONFIG_FILE ="]
        root.write_text("\n".join([*lines, ""]))
        bases = {mine.assignment.base for mine in assigned(snippets).values()}
        found = definitions(str(root), pattern(bases))
        return {name for name, each in found.items() if each.file.startswith(f"{early}/") and Path(each.file).name in snippets}

    def _started(self) -> list[tuple[str, str, str]]:
        master = DaemonView("MASTER")
        names = values(self.root, master, {"": "$(DAEMON_LIST)"})[""].upper().replace(",", " ").split()
        texts = {name: f"$({name})" for name in names} | {f"{name}_ARGS": f"$({name}_ARGS)" for name in names}
        answers = values(self.root, master, texts)
        return [(name, answers[name], answers[f"{name}_ARGS"]) for name in names]

    def _located(self, found: Mapping[str, Definition]) -> dict[str, Definition]:
        """The definitions with the places of the files that were copied."""
        copy = f"{self.copy}/"
        return {
            name: replace(each, file=str(self.directory / each.file[len(copy) :])) if each.file.startswith(copy) else each
            for name, each in found.items()
        }

    def _check_expression(self, expression: Expression) -> None:
        daemon = DaemonView(expression.subsystem, expression.local_name)
        command = ["condor_config_val", *daemon.options, expression.name]
        value = run(command, self.root, f"{expression.name} has no value with these snippets").strip()
        # By way of a file: one argument of a command has at most 128 KiB, and some expressions grow with the number of nodes. An
        # ad takes what can be read of a line and forgets the rest, but not within brackets.
        path = self.copy.parent / "expression.ad"
        line = " ".join(value.split("\n"))
        path.write_text(f"Bare = {line}\nBracketed = ({line})\n")
        command = ["condor_status", "-ads", str(path), "-long", "-attributes", "Bare,Bracketed"]
        answer = call(command, self.root)
        read = dict(line.split(" = ", 1) for line in answer.stdout.split("\n") if " = " in line)
        if answer.returncode or "Bare" not in read or read.get("Bracketed") != f"({read['Bare']})":
            raise Refused(
                f"{expression.name} is {value[:200]!r}: expected a ClassAd expression",
                command,
                answer.returncode,
                answer.stdout,
                answer.stderr,
            )


def prepared(directory: Path, snippets: Mapping[str, str], expressions: Iterable[Expression]) -> dict[str, str]:
    """Return the snippets as they are to be written here, after HTCondor has read them and they were seen to be in force.

    Raises:
        Refused: HTCondor cannot read them, a parameter is no expression, or another definition is in force.
    """
    wanted = any(snippets.values())
    if not wanted and not any((directory / name).exists() for name in snippets):
        return dict(snippets)
    with _staged(directory, snippets) as stage:
        written = stage.extended(snippets)
        stage.write(written)
        # What is not to be there any more need only leave a configuration that HTCondor can read.
        stage.check(written, expressions if wanted else [])
        return written


@contextlib.contextmanager
def _staged(directory: Path, without: Iterable[str]) -> Iterator[_Staged]:
    """HTCondor's configuration with a copy of a directory of snippets in it, less some of them.

    Raises:
        Refused: HTCondor does not read this directory.
    """
    with tempfile.TemporaryDirectory(prefix="condor-snippets-") as name:
        # The tools of HTCondor drop to its own user.
        scratch = Path(name)
        scratch.chmod(0o755)
        copy = scratch / "config.d"
        copy.mkdir()
        # Files, those by a link too: HTCondor reads no more, and a link to a directory may lead anywhere.
        for path in directory.iterdir() if directory.is_dir() else ():
            if path.is_file():
                shutil.copy2(path, copy / path.name)
        for snippet in without:
            (copy / snippet).unlink(missing_ok=True)
        live = live_root()
        names = values(live, DaemonView(), {"directories": "$(LOCAL_CONFIG_DIR)"})["directories"]
        mine = [str(copy) if Path(word) == directory else word for word in names.replace(",", " ").split()]
        if str(copy) not in mine:
            raise Refused(
                f"LOCAL_CONFIG_DIR is {names!r}: expected {directory} in it, or HTCondor reads no snippet from there",
                ["condor_config_val", "LOCAL_CONFIG_DIR"],
                0,
                names,
                "",
            )
        root = scratch / "condor_config"
        root.write_text(f"include : {live}\nLOCAL_CONFIG_DIR = {', '.join(mine)}\n")
        yield _Staged(directory, copy, tuple(mine), str(root))
