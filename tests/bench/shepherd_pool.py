# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A throw-away pool for the shepherd's figures: a central manager, real regular startds, real flocking ones.

Whatever runs there ends with the world (tests/pool). Needs root and mmdebstrap.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "tests" / "pool")]

from condor_harness import Master, Pool, build_root
from condor_harness.pool import CENTRAL_MANAGER, EP
from shepherd_site import CENTRAL, FLOCKING, REGULAR
from small_site import COMMAND_TOKENS, COMMANDER

from tests.bench.closing import Closing, close_when_ended

__all__ = ["CENTRAL_MANAGER", "COMMAND_TOKENS", "OPEN_FOR", "BenchPool", "say"]

OPEN_FOR = 7 * 86400
"""seconds: no lease of the benchmark has to be renewed while it runs"""
UPDATES = "UPDATE_INTERVAL = 300\nMASTER_UPDATE_INTERVAL = 60\n"
"""startds as by default, masters more often; those of the tests' pools send an ad every five seconds"""
# No negotiator: nothing is to start while it is measured, and idle jobs are to stay idle.
MANAGER = f"DAEMON_LIST = MASTER, COLLECTOR, SCHEDD\n{CENTRAL}CLASSAD_LIFETIME = {OPEN_FOR}\n"


def say(text: str) -> None:
    """Tell people what goes on."""
    print(f"bench: {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class BenchPool(Closing):
    """The pool ``pool``, its central manager ``cm`` and the nodes' masters. Use as a context manager."""

    def __init__(self, label: str) -> None:
        self.pool = Pool(build_root("trixie"), label)
        self.masters: dict[str, Master] = {}

    def _set_up(self) -> None:
        close_when_ended()
        self.cm = self.pool.start_master("submit", MANAGER)
        self.pool.world.run(["install", "-d", "-m", "0700", COMMAND_TOKENS])

    def close(self) -> None:
        """End everything."""
        self.pool.close()

    def regular(self, name: str, config: str = "") -> None:
        """Start a regular node; the central manager's root administers it."""
        text = EP + REGULAR.format(now=int(time.time())) + UPDATES + "ALLOW_ADMINISTRATOR = condor@site.test\n" + config
        self.masters[name] = self.pool.start_master(name, text)

    def flocking(self, name: str, regular: str) -> None:
        """Start a flocking node with a signing key of its own."""
        text = EP + FLOCKING.format(name=name, regular=regular, commander=COMMANDER) + UPDATES
        made = self.pool.add_master(name, text, keys={name: secrets.token_hex(32)}, token=False)
        report = self.pool.token(self.cm, f"{name}@site.test", ["ADVERTISE_STARTD", "ADVERTISE_MASTER", "READ"])
        self.pool.put_token(made, "report", report)
        command = self.pool.token(made, COMMANDER, key=name)
        self.pool.world.write(f"{COMMAND_TOKENS}/{name}", command + "\n", mode=0o600)
        made.start()
        self.masters[name] = made

    def ads(self, kind: str, *attributes: str) -> list[dict[str, Any]]:
        """Ads of the collector, ``kind`` in condor_status's words."""
        return self.pool.ads(kind, attributes=attributes)

    def wait_slots(self, count: int, timeout: float = 300) -> None:
        """Until that many slots are in the collector."""
        self.pool.wait(lambda: len(self.ads("-slots", "Name")) >= count, f"{count} slots in the collector", timeout)

    @property
    def env(self) -> Mapping[str, str]:
        """What our code needs around it on the central manager."""
        # Without a token of their own the bindings would present themselves with the signing key, as condor@password.
        return {"PYTHONPATH": self.pool.bind_collection(), "_CONDOR_SEC_TOKEN_DIRECTORY": f"{self.cm.dir}/tokens.d"}

    def inside(self, program: str, request: Mapping[str, Any], timeout: float) -> Any:
        """Run a program of this directory on the central manager: JSON in, JSON out."""
        directory = f"{self.env['PYTHONPATH']}/ansible_collections/sheepfold/htcondor/tests/bench"
        command: Sequence[str] = ["python3", "-B", f"{directory}/{program}", json.dumps(dict(request))]
        return json.loads(self.cm.run(command, env=dict(self.env), timeout=timeout).stdout)
