# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that talks to HTCondor through its Python bindings: one request a line in, one answer a line out.

It is started, given deadlines and killed by ``bindings.py``: a send to a hung daemon may never return and holds the
interpreter's lock meanwhile, so that no signal or thread of this process could end it. It needs nothing but Python: it may
run under another interpreter than its parent, the one that has the bindings.
"""

from __future__ import annotations

import contextlib
import json
import sys
from importlib import import_module
from typing import Any

from . import queue_match, queue_worker

_NOT_PLAIN = ("/Expr(", '": [', '": {')


class Printed(str):
    """An answer that is JSON already."""

    __slots__ = ()


def _plain(value: Any) -> Any:
    """A value of an ad as JSON has it; what has no such form (undefined, an expression) is null."""
    if isinstance(value, (bool, int, float, str)) or value is None:
        # Enumerations of the bindings are ints too, and undefined is one of them.
        return value if type(value) in (bool, int, float, str) else None
    return None


def _readable(ad: Any, name: str) -> Any:
    """A value of an ad in which something is no UTF-8: whoever drains a startd may give any bytes as the reason."""
    try:
        return _plain(ad.get(name))
    except UnicodeDecodeError:
        return queue_worker.UNREADABLE


def _printed(ad: Any, projection: list[str]) -> str:
    """An ad as one line of JSON.

    The bindings print it several times faster than its values can be asked for one by one; expressions, lists and ads, which
    they print in forms of their own, are rare.
    """
    try:
        text: str = ad.printJson()
    except UnicodeDecodeError:
        # Not by asking whether a name is in it, which would evaluate it.
        return json.dumps({name: _readable(ad, name) for name in ad})
    if any(mark in text for mark in _NOT_PLAIN):
        return json.dumps({name: _plain(ad.get(name)) for name in projection if name in ad})
    return text.replace("\n", "")


def _query(condor: Any, request: dict[str, Any]) -> Printed:
    collector = condor.Collector(request["collector"] or None)
    kind = getattr(condor.AdType, request["kind"])
    ads = collector.query(kind, constraint=request.get("constraint") or "true", projection=request["projection"])
    # An ad is let go of as soon as it is printed: those of a big pool are the most of what this process holds.
    ads.reverse()
    return Printed("[" + ",".join([_printed(ads.pop(), request["projection"]) for _ in range(len(ads))]) + "]")


def _target(classad: Any, request: dict[str, Any]) -> Any:
    # Of an ad the bindings only want to know where to send; 25.14 refuses the ads of slots.
    return classad.ClassAd({"MyAddress": request["address"], "MyType": "Generic", "Name": request["name"]})


def _send(condor: Any, classad: Any, request: dict[str, Any]) -> None:
    # The enumeration's names are wrong; a number that it does not have is sent as well, as a plain integer.
    condor.send_command(_target(classad, request), request["command"], request.get("argument") or None)


def _drain(condor: Any, classad: Any, request: dict[str, Any]) -> str:
    return str(
        condor.Startd(_target(classad, request)).drainJobs(
            request["how"], request["on_completion"], request.get("check") or None, None, request["reason"]
        )
    )


def _cancel_drain(condor: Any, classad: Any, request: dict[str, Any]) -> None:
    condor.Startd(_target(classad, request)).cancelDrainJobs()


def answer(request: dict[str, Any]) -> Any:
    """Carry out one request. Raises whatever the bindings raise."""
    # Only here: the parent imports this file too, and must not have the bindings in its own process.
    classad2, htcondor2 = import_module("classad2"), import_module("htcondor2")

    operation = request["operation"]
    if operation == "hello":
        return {"version": htcondor2.version()}
    if operation == "query":
        return _query(htcondor2, request)
    if operation == "send":
        return _send(htcondor2, classad2, request)
    if operation == "drain":
        return _drain(htcondor2, classad2, request)
    if operation == "cancel_drain":
        return _cancel_drain(htcondor2, classad2, request)
    if operation == "groups":
        return queue_worker.groups(htcondor2, classad2, request)
    if operation == "matches":
        return queue_match.matches(htcondor2, classad2, request)
    raise ValueError(f"unknown operation {operation!r}")


def _reply(line: str) -> list[str]:
    """The answer to a line, in pieces: put together, the ads of a big pool would be there once more."""
    try:
        found = answer(json.loads(line))
        return ['{"result": ', found if isinstance(found, Printed) else json.dumps(found), "}\n"]
    except Exception as error:
        return [json.dumps({"error": f"{type(error).__name__}: {error}"}), "\n"]


def main() -> None:
    """Answer requests until there are no more."""
    # Ready before the first request; without them every answer says so.
    with contextlib.suppress(Exception):
        import_module("classad2")
        import_module("htcondor2")
    for line in sys.stdin:
        sys.stdout.writelines(_reply(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
