"""A site with two central managers, as role `pool` sets it up: the flock's daemons are on one of them, and either may be down.

One site for all tests, in their order.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from condor_harness import CommandResult, Master, Root
from condor_harness.pool import CM
from condor_harness.world import kill
from flock_site import Site, job
from shepherd_site import COMMAND

ADDRESSES = {"submit": "10.27.1.1", "cm2": "10.27.1.2"}
SECRETS = "/etc/sheepfold/pool"
OWN = "/srv/condor/cm2"
FOR = 'requirements = TARGET.Machine == "{}"'
# Where hosts of the harness share their files: what the role keeps there is cm2's own.
APART = f"mount --bind {OWN}/etc /etc/sheepfold && mount --bind {OWN}/lib /var/lib/sheepfold && exec sh -c "


class TwoManagers(Site):
    """submit has the flock's daemons and is the access point; cm2 has collector and negotiator of the site alone."""

    lines = f"COLLECTOR_HOST = {', '.join(f'{address}:9618' for address in ADDRESSES.values())}\n"
    hosts = ("submit", "cm2", "p220")
    managers = ("submit", "cm2")

    first = ""
    """what Ansible said when the role came"""

    def _start_further(self) -> None:
        self.pool.world.network("cm2")
        self._plug("cm2", "lan", f"{ADDRESSES['cm2']}/24")
        self.cm2 = self.pool.start_master("cm2", CM + "\n" + self.lines, address=ADDRESSES["cm2"], netns="cm2")
        for directory in (f"{OWN}/etc", f"{OWN}/lib", "/etc/sheepfold", "/var/lib/sheepfold"):
            self.pool.world.run(["install", "-d", directory])
            # Removal leaves a directory that has something else in it, and so the place to mount on.
            self.pool.world.run(["touch", f"{directory}/of-another-role"])

    def shell(self, host: str) -> list[str]:
        return ["unshare", "--mount", "sh", "-c", f'{APART} "$0"'] if host == "cm2" else super().shell(host)

    def site_daemons(self, master: Master) -> list[int]:
        """The processes of the site's own collector and negotiator on a host, without the flock's."""
        pids = [pid for daemon in ("condor_collector", "condor_negotiator") for pid in master.pids(daemon)]
        return [pid for pid in pids if b"flock_" not in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def copies(self, host: str) -> set[str]:
        """The containers that a collector of the site shows."""
        return {name for name in self.names(pool=f"{ADDRESSES[host]}:9618") if name.endswith("@f220.sips")}

    def look(self, **arguments: Any) -> dict[str, Any]:
        """What module startd does with the flocking side while the regular one is open."""
        # 5 seconds between updates: who is older has heard everybody.
        return self.pool.module(self.submit, "startd", name=["f220"], state="on", wait=0, settle=10, timeout=10, **arguments)


@pytest.fixture(scope="module")
def site(root: Root) -> Iterator[TwoManagers]:
    made = TwoManagers(root)
    try:
        made.first = made.apply("--diff", "-v").stdout
        made.start_container()
        made.invite_remote()
        made.wait(lambda: "slot1@f220.sips" in made.names(), "the container's slot in the flock's collector")
        yield made
    finally:
        made.close()


class Shepherds:
    """The command on both hosts, each with a configuration and state of its own."""

    def __init__(self, site: TwoManagers) -> None:
        self.site = site
        self.env = {"PYTHONPATH": site.pool.bind_collection()}
        for name, other in (("submit", "cm2"), ("cm2", "submit")):
            site.pool.world.run(["install", "-d", self.state(name)])
            values = {
                "state_directory": self.state(name),
                "settings": {"cycle": 60, "lease": 900},
                # cm2 reads the flock's collector by the site's word: whose turn it is does not depend on what is seen there.
                "pool": {"collector": f"{ADDRESSES[name]}:9618", "flock_collector": f"{ADDRESSES[name]}:9618", "timeout": 10},
                "managers": {"name": name, "others": [f"{other} {ADDRESSES[other]}:9618"], "begins": name == "submit"},
            }
            site.pool.world.write(f"{self.state(name)}/shepherd.json", json.dumps(values))

    def state(self, host: str) -> str:
        return f"/var/lib/shepherd-{host}"

    def run(self, host: str, *words: str) -> CommandResult:
        command = ["python3", "-B", "-m", COMMAND, "--config", f"{self.state(host)}/shepherd.json", *words]
        return self.site.pool.masters[host].run(command, env=self.env, check=False, timeout=300)


def recap(output: str) -> dict[str, int]:
    """How many tasks changed something on each host."""
    return {host: int(count) for host, count in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", output, re.MULTILINE)}


def secrets(site: Site, directory: str) -> dict[str, str]:
    found = site.pool.world.run(["grep", "-r", "", directory]).stdout.splitlines()
    lines = [line.removeprefix(f"{directory}/").partition(":") for line in found if "60-flock.conf" not in line]
    return {path: text for path, _, text in lines}


def test_keys_are_issued_once_and_copied_unseen(site: TwoManagers) -> None:
    issued, copied = secrets(site, SECRETS), secrets(site, f"{OWN}/etc/pool")
    assert copied == issued
    assert {"passwords.d/flock", "commands.d/f220", "f220/passwords.d/f220", "out/remote/token"} <= set(issued)
    assert not [path for path, text in issued.items() if text in site.first]
    readable = site.pool.world.run(["find", f"{OWN}/etc/pool", "-perm", "/077", "-o", "-not", "-user", "root"]).stdout
    assert readable == ""
    again = site.apply("-e", '{"pool_rotate_tokens": ["remote"]}', "--diff", "-v").stdout
    assert {host: bool(count) for host, count in recap(again).items()} == {"cm2": True, "p220": False, "submit": True}
    rotated = secrets(site, SECRETS)
    assert secrets(site, f"{OWN}/etc/pool") == rotated != issued
    assert not [path for path, text in rotated.items() if text in again]
    assert recap(site.apply().stdout) == {"cm2": 0, "p220": 0, "submit": 0}
    site.invite_remote()


def test_the_flocks_daemons_are_on_one_of_them(site: TwoManagers) -> None:
    listed = {master.name: master.run(["condor_config_val", "DAEMON_LIST"]).stdout for master in (site.submit, site.cm2)}
    assert "FLOCK_COLLECTOR" in listed["submit"]
    assert "FLOCK" not in listed["cm2"]
    denied = site.cm2.run(["condor_config_val", "-subsystem", "COLLECTOR", "DENY_READ"]).stdout
    assert "10.27.2.0/24" in denied
    for host in site.managers:
        site.wait(lambda host=host: site.copies(host) == {"slot1@f220.sips"}, f"the copy of the container's ad on {host}")


def both_sides_work(site: TwoManagers, label: str, answering: str) -> None:
    """A local and a foreign job run, the node's sides are seen, and the flocking one is not opened beside the regular one."""
    site.lease(600)
    # Either could go to the other pool's machines too.
    local = site.pool.submit(site.submit, job(FOR.format("p220.site.test"), label=f"local-{label}"))
    foreign = site.pool.submit(site.remote, job(FOR.format("f220.sips"), label=f"foreign-{label}"), user="bob")
    for ap, cluster, machine in ((site.submit, local, "p220.site.test"), (site.remote, foreign, "f220.sips")):
        ended = site.pool.wait_job(ap, cluster, 4, timeout=300)
        assert str(ended.get("LastRemoteHost") or ended["RemoteHost"]).split("@")[-1] == machine, ended
    site.wait(lambda: site.copies(answering) >= {"slot1@f220.sips"}, "the copy of the container's ad")
    site.lease(0)
    site.wait(lambda: not site.names("-constraint", "FlockOpenUntil > time()"), "the end of the lease, as the ad says it")
    for transport in ("tools", "bindings"):
        refused = site.look(transport=transport)
        assert refused.get("failed"), refused
        assert "the regular startd p220 beside it is on" in refused["msg"], refused


@pytest.mark.parametrize("host", ADDRESSES)
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_neither_is_needed(site: TwoManagers, host: str, how: str) -> None:
    master = site.pool.masters[host]
    other = next(name for name in ADDRESSES if name != host)
    if how == "killed":
        # Nobody starts them again meanwhile.
        master.signal("condor_master", signal.SIGSTOP)
    broken = site.site_daemons(master)
    assert len(broken) == 2, broken
    kill(broken, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
    try:
        both_sides_work(site, f"{host}-{how}", other)
    finally:
        if how == "killed":
            master.signal("condor_master", signal.SIGCONT)
        else:
            kill(broken, signal.SIGCONT)
        for name, address in ADDRESSES.items():
            site.wait(lambda address=address: "slot1@p220.site.test" in site.names(pool=f"{address}:9618"), f"p220 at {name}")
            site.wait(lambda name=name: site.copies(name), f"f220 at {name}")


def test_one_shepherd_acts_and_another_takes_over(site: TwoManagers) -> None:
    shepherds = Shepherds(site)
    assert "does not act before cm2 has said that it stands by" in shepherds.run("submit", "cycle").stderr
    assert "stands by" in shepherds.run("cm2", "cycle").stderr
    assert "acts from the next cycle on" in shepherds.run("submit", "cycle").stderr
    assert shepherds.run("submit", "cycle").rc == 0
    assert shepherds.run("submit", "hold", "p220", "--reason", "disk").rc == 0
    assert shepherds.run("submit", "cycle").rc == 0
    assert "stands by: submit acts" in shepherds.run("cm2", "cycle").stderr
    refused = shepherds.run("cm2", "take-over", "--other-is-dead")
    assert (refused.rc, "submit acts: expected one that stands by" in refused.stderr) == (1, True), refused
    stopped = site.site_daemons(site.submit)
    kill(stopped, signal.SIGSTOP)
    try:
        refused = shepherds.run("cm2", "take-over")
        assert (refused.rc, "submit does not say whether it acts" in refused.stderr) == (1, True), refused
        # Who cannot say so does not act.
        assert "does not act: whose turn it is" in shepherds.run("submit", "cycle").stderr
        assert shepherds.run("cm2", "take-over", "--other-is-dead").rc == 0
        assert shepherds.run("cm2", "cycle").rc == 0
    finally:
        kill(stopped, signal.SIGCONT)
    site.wait(lambda: "cm2 has taken over" in shepherds.run("submit", "cycle").stderr, "the end of submit's turn")
    assert "disk" in site.pool.world.read(f"{shepherds.state('cm2')}/holds.d/p220")
    assert shepherds.run("cm2", "stand-by").rc == 0
    assert "stands by" in shepherds.run("cm2", "cycle").stderr
    assert shepherds.run("cm2", "cycle").rc == 1
    assert shepherds.run("submit", "take-over").rc == 0
    assert shepherds.run("submit", "cycle").rc == 0


def test_absent_leaves_nothing_on_either(site: TwoManagers) -> None:
    site.apply("-e", "pool_state=absent")
    left = site.pool.world.run(["find", SECRETS, f"{OWN}/etc/pool", "/var/lib/sheepfold/pool"], check=False).stdout
    assert left == ""
    assert "FlockMirrored" not in site.cm2.run(["condor_config_val", "NEGOTIATOR_SLOT_CONSTRAINT"], check=False).stdout
