# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way through HTCondor's Python bindings, version 2, in a worker process that can be killed.

For whoever asks often and much: the worker keeps its sessions, and a query of many ads costs a third of what the tools
take. Commands need ``ALLOW_ADMINISTRATOR`` for our identity on each master and startd, because the bindings do not
know the remote administration that the collector grants.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import commands, worker
from .errors import CondorError, NoAnswer, NotEmpty
from .goals import How
from .process import discard, environment, source_of
from .state import Startd

_DECODE = json.JSONDecoder(strict=False).decode
"""HTCondor prints texts with what is in them, control characters included"""

_PARTS = ("FlockNode =?= true", "FlockNode =!= true")


def _as_asked(ads: list[dict[str, Any]], attributes: Sequence[str]) -> list[dict[str, Any]]:
    """The ads with what was asked for alone, by the names that it was asked for by: a collector has its own, and some more."""
    asked, names = set(attributes), {name.lower(): name for name in attributes}
    return [
        ad if ad.keys() <= asked else {names[name.lower()]: value for name, value in ad.items() if name.lower() in names}
        for ad in ads
    ]


def _result(heard: bytes) -> Any:
    """What an answer says. Raises CondorError with the bindings' words."""
    reply = _DECODE(heard.decode())
    if "error" in reply:
        raise CondorError(f"HTCondor's bindings said: {reply['error']}")
    return reply["result"]


class BindingsWorker:
    """A worker process, started when there is something to ask and again after it had to be killed."""

    def __init__(self, interpreter: str = "", settings: Mapping[str, str] | None = None) -> None:
        """``interpreter``: the Python that has the bindings, by default our own."""
        self.interpreter = interpreter or sys.executable
        self.settings = dict(settings or {})
        self._process: subprocess.Popen[str] | None = None
        self._owes = False
        """whether there is a question that it has not answered"""

    @property
    def pid(self) -> int:
        """The worker's process id, 0 when there is none."""
        return self._process.pid if self._process else 0

    def _start(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            try:
                self._process = subprocess.Popen(
                    [self.interpreter, "-m", worker.__name__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env=environment({"PYTHONPATH": source_of(worker), **self.settings}),
                    start_new_session=True,
                )
            except OSError as error:
                raise CondorError(f"cannot run {self.interpreter}: {error.strerror}") from error
        return self._process

    def close(self) -> None:
        """End the worker. Safe to call twice."""
        if self._process is not None:
            discard(self._process)
            self._process = None
        self._owes = False

    def _line(self, process: subprocess.Popen[str], deadline: float) -> bytes:
        """One line of the answer. Raises NoAnswer or CondorError, after ending the worker."""
        if process.stdout is None:
            raise CondorError("the process of the bindings has no output")
        until = time.monotonic() + deadline
        parts: list[bytes] = []
        descriptor = process.stdout.fileno()
        while not parts or not parts[-1].endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                self.close()
                # The next one gets ready now, and not when there is something to be asked again.
                with contextlib.suppress(CondorError):
                    self._start()
                raise NoAnswer(f"the bindings had no answer within {deadline:g} s and were ended")
            part = os.read(descriptor, 1 << 20)
            if not part:
                self.close()
                raise CondorError("the process of the bindings ended by itself")
            parts.append(part)
        return b"".join(parts)

    def _ask(self, request: Mapping[str, Any]) -> None:
        if self._owes:
            # The answer would be taken for that to this question.
            self.close()
        process = self._start()
        self._owes = True
        try:
            if process.stdin is None:
                raise OSError
            process.stdin.write(json.dumps(dict(request)) + "\n")
            process.stdin.flush()
        except OSError as error:
            self.close()
            raise CondorError("the process of the bindings ended by itself") from error

    def _hear(self, deadline: float) -> bytes:
        if self._process is None:
            raise CondorError("the process of the bindings ended by itself")
        heard = self._line(self._process, deadline)
        self._owes = False
        return heard

    def calls(self, requests: Sequence[Mapping[str, Any]], deadline: float) -> list[Any]:
        """Ask several things; an answer is taken in while the process is at the next one.

        ``deadline``: seconds for each. Raises NoAnswer (the worker is gone then) or CondorError with the bindings' words.
        """
        results = []
        self._ask(requests[0])
        for later in (*requests[1:], None):
            heard = self._hear(deadline)
            if later is not None:
                self._ask(later)
            results.append(_result(heard))
        return results

    def call(self, request: Mapping[str, Any], deadline: float) -> Any:
        """Ask once. Raises NoAnswer (the worker is gone then) or CondorError with the bindings' words."""
        return self.calls([request], deadline)[0]

    def later(self, request: Mapping[str, Any], deadline: float) -> Callable[[], Any]:
        """Ask once; the process is at it until what is returned is called for the answer.

        ``deadline``: seconds from now. Whatever else is asked before makes the worker forget it. Both raise NoAnswer (the worker
        is gone then) or CondorError.
        """
        until = time.monotonic() + deadline
        self._ask(request)
        asked = self._process

        def answer() -> Any:
            if self._process is not asked:
                raise CondorError("the process of the bindings was ended before it had answered")
            return _result(self._hear(max(0.0, until - time.monotonic())))

        return answer


class Bindings:
    """Transport through the Python bindings."""

    def __init__(self, deadline: float = 20, interpreter: str = "", settings: Mapping[str, str] | None = None) -> None:
        """``deadline``: seconds for one exchange."""
        self.deadline = deadline
        self.worker = BindingsWorker(interpreter, settings)

    def close(self) -> None:
        """End the worker."""
        self.worker.close()

    def version(self) -> str:
        """HTCondor's own words about its version. Raises CondorError when there are no bindings."""
        return str(self.worker.call({"operation": "hello"}, self.deadline)["version"])

    def _calls(self, requests: Sequence[Mapping[str, Any]], deadline: float | None = None) -> list[Any]:
        try:
            return self.worker.calls(requests, deadline or self.deadline)
        except NoAnswer:
            raise
        except CondorError:
            # After a daemon's restart the first command of a long-lived process fails on the session that the
            # daemon has forgotten; the second one makes a new session.
            return self.worker.calls(requests, deadline or self.deadline)

    def _call(self, request: Mapping[str, Any]) -> Any:
        return self._calls([request])[0]

    def query(
        self, collector: str, kind: str, attributes: Sequence[str], constraint: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        """Ads of a collector; slots in two parts, so that the process never holds those of all nodes. Raises CondorError."""
        parts = [f"({constraint or 'true'}) && {part}" for part in _PARTS] if kind == "Slot" else [constraint]
        requests = [
            {
                "operation": "query",
                "collector": collector,
                "kind": "Startd" if kind == "Slot" else kind,
                "projection": list(attributes),
                "constraint": part,
            }
            for part in parts
        ]
        return [ad for answer in self._calls(requests, deadline) for ad in _as_asked(answer, attributes)]

    def _master(self, startd: Startd) -> str:
        name = startd.machine.replace('"', "")
        for ad in self.query(startd.collector, "Master", ["Name", "MyAddress", "MyType"], f'Machine == "{name}"'):
            if ad.get("MyAddress"):
                return str(ad["MyAddress"])
        raise CondorError(f"the collector has no ad of the master of {startd.name}")

    def _send(self, startd: Startd, address: str, command: int, argument: str = "") -> None:
        self._call({"operation": "send", "name": startd.startd, "address": address, "command": command, "argument": argument})

    def drain(self, startd: Startd, how: How, reason: str) -> None:
        """Begin a drain. Raises NotEmpty or CondorError."""
        request = {
            "operation": "drain",
            "name": startd.startd,
            "address": startd.address,
            "how": commands.DRAIN[how],
            "on_completion": commands.DRAIN_ON_COMPLETION_NOTHING,
            "check": commands.EMPTY if how is How.PEACEFUL else "",
            "reason": reason,
        }
        try:
            self._call(request)
        except CondorError as error:
            if how is How.PEACEFUL and commands.DRAIN_REFUSED in str(error):
                raise NotEmpty(f"{startd.name} runs something, or takes no drain from us") from error
            raise

    def cancel_drain(self, startd: Startd) -> None:
        """End a drain. Raises CondorError."""
        self._call({"operation": "cancel_drain", "name": startd.startd, "address": startd.address})

    def _send_master(self, startd: Startd, command: int) -> None:
        if startd.master:
            try:
                self._send(startd, startd.master, command, "STARTD")
            except NoAnswer:
                raise
            except CondorError:
                # It may have been another master's, before a restart.
                pass
            else:
                return
        self._send(startd, self._master(startd), command, "STARTD")

    def start(self, startd: Startd) -> None:
        """Have the master start the startd. Raises CondorError."""
        self._send_master(startd, commands.DAEMON_ON)

    def stop(self, startd: Startd, how: How) -> None:
        """Have the master stop the startd. Raises CondorError."""
        if how is How.PEACEFUL:
            # A peaceful off of the master alone is none: the startd has to know before it gets its signal.
            self._send(startd, startd.address, commands.DC_SET_PEACEFUL_SHUTDOWN)
        self._send_master(startd, commands.OFF[how])
