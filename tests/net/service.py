# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gateway's service as a unit runs it, in a network namespace and with a /run of its own that lasts."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import rules

ROLES = rules.ROOT / "roles"
PROGRAM = ROLES / "gateway" / "files" / "flock_gateway.py"


class GatewayService:
    """The program of role gateway; without tc, which this host's kernel may lack."""

    def __init__(
        self, namespace: str, directory: Path, program: Path = PROGRAM, environment: Mapping[str, str] | None = None
    ) -> None:
        """Use a network namespace, by path, and keep /run and the service's files in a directory."""
        self.program = program
        self.more = environment or {}
        self.namespace = namespace
        self.run = directory / "run"
        self.rules = directory / "flock-gateway.nft"
        self.limits = directory / "flock-limits.nft"
        self.settings = directory / "gateway.json"
        self.run.mkdir(parents=True, exist_ok=True)

    def describe(
        self, behind: bool = False, rendered: str = "", limits: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        """Write the service's files, as the role does."""
        self.rules.write_text(rendered or rules.gateway(behind))
        self.limits.write_text(rules.limits(**limits or {}))
        allowed = [item["address"] for item in rules.plan(behind)["egress_allow"]]
        wanted = {
            **rules.gateway_settings(gateway_tc=False),
            "allowed": allowed,
            "rules": str(self.rules),
            "limits": str(self.limits),
            **settings,
        }
        self.settings.write_text(json.dumps(wanted))

    def words(self, *arguments: str, program: Path | None = None) -> list[str]:
        """Return the command line; /sys is that of the network namespace."""
        line = shlex.join([sys.executable, "-B", str(program or self.program), *arguments])
        alone = f"mount --bind {self.run} /run && mount -t sysfs none /sys && exec {line}"
        return ["nsenter", f"--net={self.namespace}", "unshare", "--mount", "sh", "-c", alone]

    @property
    def environment(self) -> dict[str, str]:
        """Return what tells the program where its files are."""
        library = str(ROLES / "vlan" / "files")
        return {**os.environ, "SHEEPFOLD_LIB": library, "SHEEPFOLD_GATEWAY": str(self.settings), **self.more}

    def __call__(self, command: str) -> str:
        """Run a command that has to work, and return what it says."""
        code, said = self.attempt(command)
        if code:
            raise RuntimeError(f"gateway {command}: {said}")
        return said

    def attempt(self, command: str) -> tuple[int, str]:
        """Run a command, and return its status and what it says."""
        done = subprocess.run(self.words(command), env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()
