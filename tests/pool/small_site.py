"""A small site: central manager and access point, a regular startd, and a flocking one with a signing key of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from condor_harness import Master, Pool
from condor_harness.pool import CM_AND_AP, EP

COMMAND_TOKENS = "/etc/sheepfold/pool/commands.d"
COMMANDER = "shepherd@site.test"

REGULAR = """
STARTD_ATTRS = FlockNode
MASTER_ATTRS = FlockNode
FlockNode = False
"""

FLOCKING = f"""
STARTD_ATTRS = FlockNode, FlockHost
MASTER_ATTRS = FlockNode, FlockHost
FlockNode = True
FlockHost = "p220"
START = (FlockOpenUntil ?: 0) > time()
MAXJOBRETIREMENTTIME = 3600
SEC_DEFAULT_AUTHENTICATION_METHODS = IDTOKENS
SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS
SEC_TOKEN_POOL_SIGNING_KEY_FILE = $(SEC_PASSWORD_DIRECTORY)/f220
ALLOW_READ = {COMMANDER}
ALLOW_WRITE = {COMMANDER}
ALLOW_DAEMON = {COMMANDER}
ALLOW_ADMINISTRATOR = {COMMANDER}
"""

JOB = (
    "executable = /usr/bin/sleep\ntransfer_executable = false\nshould_transfer_files = yes\n"
    "request_memory = 64\nrequest_disk = 1024\n"
)


def job(seconds: int, flocking: bool) -> str:
    """A job that sleeps, on one side only."""
    return f"{JOB}arguments = {seconds}\nrequirements = FlockNode =?= {flocking}\nqueue\n"


class Site:
    """The pool ``pool``, its hosts ``cm``, ``p220`` and ``f220``."""

    def __init__(self, make: Callable[[str], Pool]) -> None:
        self.pool = make("site")
        cm = f"{CM_AND_AP}\nALLOW_ADVERTISE_STARTD = *@site.test\nALLOW_ADVERTISE_MASTER = *@site.test\nALLOW_ADMINISTRATOR = condor@site.test"
        self.cm = self.pool.start_master("submit", cm)
        self.p220 = self.pool.start_master("p220", EP + REGULAR)
        self.f220 = self.pool.add_master(
            "f220", EP + FLOCKING, address="10.27.2.220", keys={"f220": secrets.token_hex(32)}, token=False
        )
        report = self.pool.token(self.cm, "f220@site.test", ["ADVERTISE_STARTD", "ADVERTISE_MASTER", "READ"])
        self.pool.put_token(self.f220, "report", report)
        command = self.pool.token(self.f220, COMMANDER, key="f220")
        self.pool.world.run(["install", "-d", "-m", "0700", COMMAND_TOKENS])
        self.pool.world.write(f"{COMMAND_TOKENS}/f220", command + "\n", mode=0o600)
        self.f220.start()
        self.pool.wait_startds("p220", "f220")

    def startd(self, **arguments: object) -> dict[str, object]:
        """Run the module on the central manager. The collector is young: a few seconds settle it here."""
        return self.pool.module(self.cm, "startd", **{"settle": 3, "wait": 30, **arguments})

    def state(self, name: str, **arguments: object) -> dict[str, object]:
        """What startd_info says of one startd."""
        found = self.pool.module(self.cm, "startd_info", name=[name], **{"settle": 3, **arguments})["startds"]
        assert len(found) == 1, found
        return found[0]
