"""A pool for the shepherd: nodes with two startds each, an access point, and a foreign one for the flocking sides alone.

One collector for both sides, as a small site may have it; the site with two is tests/pool/flock_site.py.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from condor_harness import Master, Pool
from condor_harness.pool import CM_AND_AP, EP
from small_site import COMMAND_TOKENS, COMMANDER, JOB

STATE = "/var/lib/shepherd"
CONFIGURATION = "/etc/sheepfold/shepherd/shepherd.json"
COMMAND = "ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.cli.main"
FOREIGNER = "remote@flock-in.test"
IDLE, RUNNING, COMPLETED = 1, 2, 4

CENTRAL = f"""
ALLOW_ADVERTISE_STARTD = *@site.test
ALLOW_ADVERTISE_MASTER = *@site.test
ALLOW_ADVERTISE_SCHEDD = *@site.test, {FOREIGNER}
ALLOW_READ = *
ALLOW_ADMINISTRATOR = condor@site.test
"""
REMOTE = "DAEMON_LIST = MASTER, SCHEDD\n"
REGULAR = """
STARTD_ATTRS = FlockNode FlockVerifyResult FlockVerifyTime FlockVerifyRulesHash
MASTER_ATTRS = FlockNode
FlockNode = False
FlockVerifyResult = "pass"
FlockVerifyTime = {now}
FlockVerifyRulesHash = "aa"
START = TARGET.Foreign =!= true
"""
FLOCKING = """
STARTD_ATTRS = FlockNode FlockHost
MASTER_ATTRS = FlockNode FlockHost
STARTD_JOB_ATTRS = AllowedExecuteDuration
FlockNode = True
FlockHost = "{regular}"
START = (FlockOpenUntil ?: 0) > time() && TARGET.Foreign =?= true
# As role flock_startd has it: an address in an ad that is left over from before a reboot is still the right one.
STARTD_ARGS = -sock startd
MAXJOBRETIREMENTTIME = 3600
MAXVACATETIME = 5
SEC_DEFAULT_AUTHENTICATION_METHODS = IDTOKENS
SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS
SEC_TOKEN_POOL_SIGNING_KEY_FILE = $(SEC_PASSWORD_DIRECTORY)/{name}
ALLOW_READ = {commander}
ALLOW_WRITE = {commander}
ALLOW_DAEMON = {commander}
ALLOW_ADMINISTRATOR = {commander}
"""
SETTINGS: dict[str, Any] = {
    "cycle": 20,
    "lease": 120,
    "lag": 2,
    "dwell": 0,
    "low_cycles": 1,
    "high_cycles": 1,
    "out_share": 1.0,
    "moving_share": 1.0,
    "collector_age": 5,
    "fall_hold": 30,
    "reclaim_cap": 6,
    "quick": 20,
    "backoff": 5,
    "backoff_max": 10,
}


def jobs(seconds: int, count: int = 1, *, cores: int = 1, foreign: bool = False, requirements: str = "") -> str:
    """Jobs that sleep."""
    lines = [JOB, f"arguments = {seconds}\nrequest_cpus = {cores}\n"]
    if foreign:
        lines.append(f"+Foreign = true\nallowed_execute_duration = {seconds + 60}\n")
    if requirements:
        lines.append(f"requirements = {requirements}\n")
    return "".join([*lines, f"queue {count}\n"])


class Site:
    """The pool, its central manager and access point ``cm``, the foreign access point ``remote`` and the nodes."""

    def __init__(self, make: Callable[[str], Pool], count: int = 2, cores: int = 4) -> None:
        self.pool = make("shepherd")
        self.cm = self.pool.start_master("submit", CM_AND_AP + CENTRAL)
        self.remote = self.pool.add_master("remote", REMOTE, token=False)
        self.pool.put_token(self.remote, "site", self.pool.token(self.cm, FOREIGNER, ["READ", "ADVERTISE_SCHEDD"]))
        self.remote.start()
        self.pool.world.run(["install", "-d", "-m", "0700", COMMAND_TOKENS])
        self.pool.world.run(["install", "-d", "-m", "0755", STATE])
        self.regular: dict[str, Master] = {}
        self.flocking: dict[str, Master] = {}
        for number in range(220, 220 + count):
            self._node(number, cores)
        self.configure()
        self.pool.wait_startds(*self.regular, *(master.name for master in self.flocking.values()), timeout=300)
        self.pool.wait(lambda: len(self.pool.ads("-schedd", attributes=["Name"])) == 2, "both access points")

    def _node(self, number: int, cores: int) -> None:
        regular, name = f"p{number}", f"f{number}"
        size = f"NUM_CPUS = {cores}\n"
        self.regular[regular] = self.pool.start_master(regular, EP + REGULAR.format(now=int(time.time())) + size)
        flocking = self.pool.add_master(
            name,
            EP + FLOCKING.format(name=name, regular=regular, commander=COMMANDER) + size,
            address=f"10.27.2.{number}",
            keys={name: secrets.token_hex(32)},
            token=False,
        )
        self.flocking[regular] = flocking
        report = self.pool.token(self.cm, f"{name}@site.test", ["ADVERTISE_STARTD", "ADVERTISE_MASTER", "READ"])
        self.pool.put_token(flocking, "report", report)
        command = self.pool.token(flocking, COMMANDER, key=name)
        self.pool.world.write(f"{COMMAND_TOKENS}/{name}", command + "\n", mode=0o600)
        flocking.start()

    # The shepherd

    def configure(self, **values: Any) -> None:
        """Write the shepherd's configuration."""
        settings = {**SETTINGS, "reserve": 0.5, **values.pop("settings", {})}
        pool = {"timeout": 15, "settle": 5, "stale_after": 60, "command_tokens": COMMAND_TOKENS, **values.pop("pool", {})}
        scope = {"foreign_domains": ["flock-in.test"]}
        text = json.dumps({"settings": settings, "pool": pool, "scope": scope, "state_directory": STATE, **values})
        self.pool.world.write(CONFIGURATION, text)

    @property
    def env(self) -> Mapping[str, str]:
        """What the command needs around it."""
        # Without a token of their own the bindings would present themselves with the signing key, as condor@password.
        return {"PYTHONPATH": self.pool.bind_collection(), "_CONDOR_SEC_TOKEN_DIRECTORY": f"{self.cm.dir}/tokens.d"}

    def shepherd(self, *words: str, check: bool = True) -> Any:
        """Run the command ``shepherd``: exit status, output, errors."""
        return self.cm.run(["python3", "-B", "-m", COMMAND, *words], env=dict(self.env), check=check, timeout=300)

    def cycle(self) -> dict[str, dict[str, Any]]:
        """One cycle; what it found of each node."""
        found = json.loads(self.shepherd("cycle", "--json").stdout)
        return {node["name"]: node for node in found["nodes"]}

    def status(self) -> dict[str, Any]:
        """What ``shepherd status`` says."""
        return dict(json.loads(self.shepherd("status", "--json").stdout))

    def cycles_until(
        self, what: str, question: Callable[[dict[str, dict[str, Any]]], Any], count: int = 90
    ) -> dict[str, dict[str, Any]]:
        """Cycles until the question is answered with yes; the last one's nodes."""
        nodes: dict[str, dict[str, Any]] = {}
        for _ in range(count):
            nodes = self.cycle()
            if question(nodes):
                return nodes
            time.sleep(1)
        said = {name: (node["state"], node["reason"]) for name, node in nodes.items()}
        raise AssertionError(f"{what}: not within {count} cycles\n{json.dumps(said, indent=1)}\n{self.pool.tails()}")

    def daemon(self) -> subprocess.Popen[bytes]:
        """Start the daemon; its log is /var/log/shepherd of the world."""
        script = f"exec python3 -B -m {COMMAND} run >>/var/log/shepherd 2>&1"
        return self.pool.world.popen(["sh", "-c", script], env={**self.cm.env, **self.env}, netns=self.cm.netns)

    @property
    def log(self) -> str:
        """The daemon's log."""
        path = self.pool.world.root / "var/log/shepherd"
        return path.read_text() if path.exists() else ""

    # Jobs

    def remove(self, ap: Master, *clusters: str) -> None:
        """Take jobs out of a queue, as soon as its access point answers again."""
        self.pool.wait(lambda: ap.run(["condor_rm", *clusters], check=False).rc == 0, "condor_rm")

    def running(self, ap: Master, cluster: str) -> list[str]:
        """The hosts that a cluster's jobs run on, in the short form, one for each job."""
        answer = ap.run(["condor_q", cluster, "-constraint", f"JobStatus == {RUNNING}", "-af", "RemoteHost"], check=False)
        return sorted(word.split("@")[-1].split(".")[0] for word in answer.stdout.split())

    def starts(self, ap: Master, cluster: str) -> list[int]:
        """How often each job of a cluster was started."""
        found = []
        for tool in ("condor_q", "condor_history"):
            found += [
                int(word)
                for word in ap.run([tool, cluster, "-af", "NumShadowStarts"], check=False).stdout.split()
                if word.isdigit()
            ]
        return found
