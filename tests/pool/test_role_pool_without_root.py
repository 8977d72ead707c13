"""Role `pool` with pool_unprivileged, on a host with systemd that is central manager alone.

One site for all tests, in their order: a local job starts before the daemons lose root and goes on after they have it again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from condor_harness import Pool, build_systemd_root
from condor_harness.pool import CM
from flock_site import NODE, Site, job
from systemd_world import SystemdWorld

DROP_IN = "/etc/systemd/system/condor.service.d/sheepfold-pool.conf"
DIRECTORY = "/srv/condor/submit"
# As the kernel cuts them.
DAEMONS = {"condor_master", "condor_shared_p", "condor_collecto", "condor_negotiat", "flock-mirror"}
# FS as on an ordinary host, for the mirror; daemons of the other hosts show their token.
CENTRAL = f"""\
{CM}
SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS
ALLOW_ADMINISTRATOR = root@site.test, condor@site.test
ALLOW_ADVERTISE_STARTD = condor@site.test
ALLOW_ADVERTISE_MASTER = condor@site.test
"""
BY_TOKEN = "\n".join(f"{daemon}.SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS" for daemon in ("MASTER", "STARTD", "SCHEDD"))


class CentralManagerAlone(Site):
    """The world itself is the central manager, by its condor.service; the other hosts have networks of their own."""

    unprivileged = False
    consent = False
    witness = ""
    """A job that runs all the time."""
    foretold: list[int]
    """How much check mode said that it would change."""

    def _start(self) -> None:
        self.pool.close()
        root = build_systemd_root()
        self.pool = Pool(root, "without-root", SystemdWorld(root.path, "without-root"))
        world = self.pool.world
        world.address("203.0.113.1/32")
        # The central manager's ends of the networks are the bridges.
        for bridge, address in (("lan", "10.27.1.1/24"), ("vlan", "10.27.2.1/24")):
            world.run(["ip", "link", "add", bridge, "type", "bridge"], chroot=False)
            world.run(["ip", "link", "set", bridge, "up"], chroot=False)
            world.address(address, device=bridge)
        for host, bridge, address in (
            ("p220", "lan", "10.27.1.220/24"),
            ("ap", "lan", "10.27.1.2/24"),
            ("f220", "vlan", "10.27.2.220/24"),
        ):
            world.network(host)
            self._plug(host, bridge, address)
        self.submit = self.pool.add_master("submit", f"{CENTRAL}BIND_ALL_INTERFACES = True\n", address="10.27.1.1")
        world.write(
            "/etc/systemd/system/condor.service.d/site.conf", f"[Service]\nEnvironment=CONDOR_CONFIG={DIRECTORY}/condor_config\n"
        )
        world.run(["systemctl", "daemon-reload"])
        world.run(["systemctl", "start", "condor.service"])
        self.p220 = self.pool.start_master("p220", f"{NODE}\n{BY_TOKEN}", address="10.27.1.220", netns="p220")
        self.ap = self.pool.start_master("ap", f"DAEMON_LIST = MASTER, SCHEDD\n{BY_TOKEN}", address="10.27.1.2", netns="ap")
        self.pool.wait_startds("p220")

    def _ip(self, netns: str, *words: str) -> None:
        # What is a switch of its own elsewhere is in the central manager.
        super()._ip("" if netns == "switch" else netns, *words)

    def _inventory(self) -> dict[str, Any]:
        inventory = super()._inventory()["all"]
        inventory["vars"] |= {"pool_mirror_user": "condor", "flock": {**inventory["vars"]["flock"], "flock_out": []}}
        inventory["hosts"]["submit"] |= {"pool_unprivileged": self.unprivileged, "pool_restart_consent": self.consent}
        del inventory["children"]["flock_access_point"]
        return {"all": inventory}

    def processes(self) -> dict[int, dict[str, str]]:
        """/proc/*/status of whatever condor.service runs."""
        group = self.pool.world.run(["systemctl", "show", "-P", "ControlGroup", "condor.service"]).stdout.strip()
        found = {}
        pids = self.pool.world.run(["sh", "-c", f"cat $(find /sys/fs/cgroup{group} -name cgroup.procs)"]).stdout.split()
        for pid in pids:
            text = self.pool.world.run(["cat", f"/proc/{pid}/status"], check=False).stdout
            if text:
                found[int(pid)] = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        return found

    def state(self) -> str:
        """Unit, files below /etc/sheepfold, start of the service."""
        world = self.pool.world
        files = world.run(
            ["sh", "-c", f"find /etc/systemd/system /etc/sheepfold {DIRECTORY}/config.d | sort"], check=False
        ).stdout
        return files + world.run(["systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", "condor.service"]).stdout


@pytest.fixture(scope="module")
def site() -> Iterator[CentralManagerAlone]:
    if os.geteuid() != 0:
        pytest.fail("tests/pool make namespaces and mounts: run them as root")
    made = CentralManagerAlone(build_systemd_root())
    try:
        made.witness = made.pool.submit(made.ap, job(seconds=3600, label="witness"))
        made.pool.wait_job(made.ap, made.witness, 2)
        yield made
    finally:
        made.close()


def changed(output: str) -> list[int]:
    return [int(number) for number in re.findall(r"changed=(\d+)", output)]


def assert_one_start(site: CentralManagerAlone) -> None:
    ad = site.pool.job(site.ap, site.witness)
    assert (ad["JobStatus"], ad["JobCurrentStartDate"]) == (2, ad["JobStartDate"])


def assert_runs(site: CentralManagerAlone, label: str) -> None:
    cluster = site.pool.submit(site.ap, job(label=label))
    site.pool.wait_job(site.ap, cluster, 4)


def names(site: CentralManagerAlone) -> list[str]:
    """Names of the service's processes, without those that a daemon or the mirror starts for a moment."""
    return [
        status["Name"]
        for status in site.processes().values()
        if status["Name"] not in ("condor_status", "condor_advertis", "prlimit")
    ]


def roots(site: CentralManagerAlone) -> list[str]:
    """Names of the service's processes with root or a capability."""
    return [
        status["Name"]
        for status in site.processes().values()
        if "0" in status["Uid"].split() + status["Gid"].split()
        or any(int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"))
    ]


def test_the_package_runs_it_with_root(site: CentralManagerAlone) -> None:
    """The control: what the tests below look for is there without the setting."""
    site.apply()
    assert set(names(site)) == DAEMONS
    assert "condor_master" in roots(site)
    assert not (site.pool.world.root / DROP_IN.lstrip("/")).exists()


def test_check_mode_foretells_and_touches_nothing(site: CentralManagerAlone) -> None:
    before = site.state()
    site.unprivileged = True
    foretold = site.apply("--check", "--diff")
    assert site.state() == before
    assert DROP_IN in foretold.stdout
    site.foretold = changed(foretold.stdout)


def test_without_consent_it_says_what_is_left(site: CentralManagerAlone) -> None:
    for expected in (site.foretold, [0, 0]):
        answer = " ".join(site.apply().stdout.split())
        assert changed(answer) == expected
        assert 'pool_restart_consent of submit is false: run "systemctl restart condor.service" there.' in answer
    assert "condor_master" in roots(site)
    assert_runs(site, "waiting")


def test_no_process_has_root_or_a_capability(site: CentralManagerAlone) -> None:
    site.consent = True
    site.apply()
    assert set(names(site)) == DAEMONS
    assert roots(site) == []
    assert {status["NoNewPrivs"] for status in site.processes().values()} == {"1"}
    condor = site.pool.world.run(["id", "-u", "condor"]).stdout.strip()
    assert {uid for status in site.processes().values() for uid in status["Uid"].split()} == {condor}


def test_second_run_changes_nothing(site: CentralManagerAlone) -> None:
    before = site.state()
    assert changed(site.apply().stdout) == [0, 0]
    assert site.state() == before


def test_jobs_match_and_run(site: CentralManagerAlone) -> None:
    assert_one_start(site)
    assert_runs(site, "without-root")


def test_the_flock_works(site: CentralManagerAlone) -> None:
    """Its collector knows the container by its token, and the mirror shows it to the site."""
    site.start_container()
    site.wait(lambda: "slot1@f220.sips" in site.names(), "the container's slot in the flock's collector")
    site.wait(lambda: "slot1@f220.sips" in site.names(pool=""), "its copy in the site's collector")


def test_tokens_and_keys_are_refused_to_others(site: CentralManagerAlone) -> None:
    world = site.pool.world
    secrets = [
        *(f"{DIRECTORY}/{name}" for name in ("tokens.d/site", "passwords.d/POOL")),
        "/etc/sheepfold/pool/passwords.d/flock",
        *(f"/run/credentials/condor.service/{name}" for name in ("site-tokens_site", "site-keys_POOL", "flock-keys_flock")),
        *(f"/run/sheepfold/condor/{name}" for name in ("site-tokens/site", "site-keys/POOL", "flock-keys/flock")),
    ]
    for path in secrets:
        assert world.run(["cat", path]).stdout
        assert world.run(["cat", path], user="alice", check=False).rc != 0, path
    # The site's own files are as they were; HTCondor's user has them by way of the service alone.
    for path in secrets[:3]:
        assert world.run(["stat", "-c", "%U %G %a", path]).stdout.split() == ["root", "root", "600"]
        assert world.run(["cat", path], user="condor", check=False).rc != 0, path
    # The site's daemons do not find the flock's key.
    assert world.run(["ls", "/run/sheepfold/condor/site-keys"]).stdout.split() == ["POOL"]


def test_one_sentence_where_a_schedd_runs(site: CentralManagerAlone) -> None:
    site.submit.configure("DAEMON_LIST = $(DAEMON_LIST) SCHEDD", "30-schedd.conf")
    try:
        answer = site.apply(check=False)
    finally:
        site.pool.world.run(["rm", f"{DIRECTORY}/config.d/30-schedd.conf"])
    assert answer.returncode != 0
    assert "pool_unprivileged of submit is true and DAEMON_LIST is 'MASTER, COLLECTOR, NEGOTIATOR" in " ".join(
        answer.stdout.split()
    )
    assert changed(answer.stdout) == [0, 0]


def test_absent_gives_the_service_back(site: CentralManagerAlone) -> None:
    # One host alone: they share the world's files, and p220 would take some of them.
    arguments = ("-e", "pool_state=absent", "--limit", "submit")
    foretold = changed(site.apply("--check", *arguments).stdout)
    assert changed(site.apply(*arguments).stdout) == foretold
    world = site.pool.world
    assert world.run(["ls", "/etc/systemd/system/condor.service.d"]).stdout.split() == ["site.conf"]
    assert world.run(["ls", "/etc/sheepfold", "/run/sheepfold"], check=False).stdout.split() == []
    assert "condor_master" in roots(site)
    assert changed(site.apply(*arguments).stdout) == [0]
    site.pool.wait_startds("p220")
    assert_one_start(site)
    assert_runs(site, "after")
