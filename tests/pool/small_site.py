"""A small site: central manager and access point, two regular startds, and a flocking one with a signing key of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from condor_harness import Pool
from condor_harness.pool import CM_AND_AP, EP

COMMAND_TOKENS = "/etc/sheepfold/pool/commands.d"
COMMANDER = "shepherd@site.test"

CENTRAL = """
ALLOW_ADVERTISE_STARTD = *@site.test
ALLOW_ADVERTISE_MASTER = *@site.test
ALLOW_ADMINISTRATOR = condor@site.test
"""

REGULAR = """
STARTD_ATTRS = FlockNode
MASTER_ATTRS = FlockNode
FlockNode = False
"""

# For a site whose slots are cut beforehand.
STATIC = """
SLOT_TYPE_1 = 50%
SLOT_TYPE_1_PARTITIONABLE = False
NUM_SLOTS_TYPE_1 = 2
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


def job(host: str, seconds: int, count: int = 1) -> str:
    """Jobs that sleep on one host."""
    return f'{JOB}arguments = {seconds}\nrequirements = Machine == "{host}.site.test"\nqueue {count}\n'


class Site:
    """The pool ``pool``, its hosts ``cm``, ``p220`` and ``f220``, and ``p221`` with static slots."""

    def __init__(self, make: Callable[[str], Pool]) -> None:
        self.pool = make("site")
        self.cm = self.pool.start_master("submit", CM_AND_AP + CENTRAL)
        self.p220 = self.pool.start_master("p220", EP + REGULAR)
        self.p221 = self.pool.start_master("p221", EP + REGULAR + STATIC)
        self.f220 = self.pool.add_master(
            "f220", EP + FLOCKING, address="10.27.2.220", keys={"f220": secrets.token_hex(32)}, token=False
        )
        report = self.pool.token(self.cm, "f220@site.test", ["ADVERTISE_STARTD", "ADVERTISE_MASTER", "READ"])
        self.pool.put_token(self.f220, "report", report)
        command = self.pool.token(self.f220, COMMANDER, key="f220")
        self.pool.world.run(["install", "-d", "-m", "0700", COMMAND_TOKENS])
        self.pool.world.write(f"{COMMAND_TOKENS}/f220", command + "\n", mode=0o600)
        self.f220.start()
        self.pool.wait_startds("p220", "p221", "f220")

    def startd(self, name: str, state: str, **arguments: Any) -> dict[str, Any]:
        """Run the module on the central manager. The collector is young: a few seconds settle it here."""
        settings = {"settle": 3, "wait": 90, **arguments}
        return self.pool.module(self.cm, "startd", name=[name], state=state, **settings)

    def see(self, name: str, **arguments: Any) -> dict[str, Any]:
        """What startd_info says of one startd."""
        settings = {"settle": 3, **arguments}
        found = self.pool.module(self.cm, "startd_info", name=[name], **settings)["startds"]
        assert len(found) == 1, found
        return dict(found[0])

    def open_flock(self, lease: int = 600) -> None:
        """Drain p220 and open f220."""
        for name, state in (("p220", "drained"), ("f220", "on")):
            answer = self.startd(name, state, lease=lease)
            assert not answer.get("failed"), answer

    def submit(self, host: str, seconds: int, count: int = 1) -> str:
        """Submit jobs for one host; the cluster's number."""
        return self.pool.submit(self.cm, job(host, seconds, count))

    def running(self, host: str, seconds: int) -> str:
        """Submit a job for one host and wait until it runs; the cluster's number."""
        cluster = self.submit(host, seconds)
        self.pool.wait_job(self.cm, cluster, 2)
        return cluster

    def reset(self) -> None:
        """No jobs; the regular startds on, the flocking one closed."""
        if self.pool.ads("-schedd", "TotalRunningJobs + TotalIdleJobs + TotalHeldJobs > 0", ["Name"]):
            self.cm.run(["condor_rm", "-all"], check=False)
        for name, state in (("f220", "drained"), ("p22?", "on")):
            answer = self.startd(name, state, how="fast", force=True)
            if answer.get("failed"):
                # A startd that was stopped altogether comes back with its own start.
                self.startd("f220", "on", exclusive=False)
                answer = self.startd(name, state, how="fast", force=True)
            assert not answer.get("failed"), answer


def only(answer: dict[str, Any]) -> dict[str, Any]:
    """The one startd of a module's answer."""
    assert not answer.get("failed"), answer
    assert len(answer["startds"]) == 1
    return dict(answer["startds"][0])
