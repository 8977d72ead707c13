# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way through HTCondor's command-line tools.

They know remote administration as the collector grants it, which the Python bindings do not: no startd needs a
setting of its own for us. A call takes some 30 ms.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import commands
from .errors import CommandFailed, CondorError, NotEmpty
from .goals import How
from .process import run
from .state import Startd

_KINDS = {"Slot": "-slots", "Master": "-master", "Collector": "-collector", "Schedd": "-schedd"}


_DEEPEST = 4000
"""lists in lists that are read: HTCondor takes 1000, and Python by itself fewer"""


def _decoded(text: str) -> Any:
    """What an answer in JSON says. Raises ValueError or RecursionError."""
    limit = sys.getrecursionlimit()
    # A job or a container may put the deepest that HTCondor takes into an ad: it must not hide all others.
    sys.setrecursionlimit(max(limit, _DEEPEST))
    try:
        return json.loads(text)
    finally:
        sys.setrecursionlimit(limit)


def parameter(name: str, deadline: float) -> str:
    """A value of HTCondor's configuration on this host; empty when it is not defined. Raises CondorError."""
    try:
        return run(["condor_config_val", name], deadline).strip()
    except CommandFailed as error:
        if "not defined" in (error.stdout + error.stderr).lower():
            return ""
        raise


def _pool(collector: str) -> list[str]:
    return ["-pool", collector] if collector else []


class Tools:
    """Startds go by the names of their hosts: one that has a name of its own (``STARTD_NAME``) is not found by it.

    Transport through condor_status, condor_drain, condor_on, condor_off; the rest is by these tools alone.
    """

    def __init__(self, deadline: float = 20, tokens: str = "") -> None:
        """``deadline``: seconds for one exchange. ``tokens``: a directory of tokens for commands to flocking startds."""
        self.deadline = deadline
        self.tokens = tokens

    def _settings(self, startd: Startd) -> Mapping[str, str]:
        # Added to the tokens that the tools find by themselves: these speak to the collector.
        if startd.flocking and self.tokens and Path(self.tokens).is_dir():
            return {"_CONDOR_SEC_TOKEN_DIRECTORY": self.tokens}
        return {}

    def _command(self, startd: Startd, command: Sequence[str]) -> str:
        settings = self._settings(startd)
        try:
            return run(command, self.deadline, settings)
        except CommandFailed as error:
            if commands.DRAIN_CHECK_FALSE in error.stderr:
                raise NotEmpty(f"{startd.name} runs something") from error
            # An ad that has just gone and comes back, a session of a daemon that has just restarted: once more.
            return run(command, self.deadline, settings)

    def query(
        self, collector: str, kind: str, attributes: Sequence[str], constraint: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        """Ads of a collector. Raises CondorError, also when the answer is none."""
        command = ["condor_status", *_pool(collector), _KINDS[kind], "-json", "-attributes", ",".join(attributes)]
        if constraint:
            command += ["-constraint", constraint]
        text = run(command, deadline or self.deadline).strip()
        if not text:
            return []
        try:
            ads = _decoded(text)
        except (ValueError, RecursionError) as error:
            raise CondorError(f"condor_status answered with something that is not JSON: {text[:200]}") from error
        return [dict(ad) for ad in ads]

    def drain(self, startd: Startd, how: How, reason: str) -> None:
        """Begin a drain. Raises NotEmpty or CondorError."""
        command = ["condor_drain", *_pool(startd.collector), "-reason", reason]
        if how is How.PEACEFUL:
            command += ["-graceful", "-check", commands.EMPTY]
        else:
            command.append(f"-{how.value}")
        self._command(startd, [*command, startd.machine])

    def cancel_drain(self, startd: Startd) -> None:
        """End a drain. Raises CondorError."""
        self._command(startd, ["condor_drain", *_pool(startd.collector), "-cancel", startd.machine])

    def start(self, startd: Startd) -> None:
        """Have the master start the startd. Raises CondorError."""
        self._command(startd, ["condor_on", *_pool(startd.collector), "-startd", "-name", startd.machine])

    def stop(self, startd: Startd, how: How) -> None:
        """Have the master stop the startd. Raises CondorError."""
        self._command(startd, ["condor_off", *_pool(startd.collector), "-startd", f"-{how.value}", "-name", startd.machine])

    def vacate(self, startd: Startd, how: How) -> None:
        """Have the startd end its jobs, kindly (graceful) or at once (fast). Raises CondorError."""
        how_far = "-fast" if how is How.FAST else "-graceful"
        self._command(startd, ["condor_vacate", *_pool(startd.collector), how_far, "-name", startd.machine])

    def set_open_until(self, startd: Startd, until: int) -> None:
        """Merge the end of a lease (epoch seconds, 0 for none) into a running startd's ad. Raises CondorError.

        The startd's START refers to the attribute; nothing but this merge gives it a value, so that it goes with the
        startd, and time alone ends it.
        """
        with tempfile.NamedTemporaryFile("w", prefix="sheepfold-", suffix=".ad") as ad:
            ad.write(f"FlockOpenUntil = {int(until)}\n")
            ad.flush()
            self._command(startd, ["condor_update_machine_ad", *_pool(startd.collector), "-name", startd.machine, ad.name])


def version(deadline: float) -> str | None:
    """HTCondor's version on this host, as ``23.9.6``; None when its tools are not there. Raises CondorError."""
    try:
        words = run(["condor_version"], deadline).split()
    except CommandFailed:
        raise
    except CondorError:
        return None
    return words[1] if len(words) > 1 else None
