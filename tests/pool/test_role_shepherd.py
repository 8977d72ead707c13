"""Role `shepherd` beside role `pool` on real HTCondor: what its user may do and may not, and that it lends as that user.

There is no systemd in the world of the tests: its command line is played by a script that only remembers, and the daemon is
started as the unit would, without what can be taken away from it without systemd.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from condor_harness import CommandResult, Root
from flock_site import FLOCK_POOL, Site

USER = "shepherd"
TOKENS = {"_CONDOR_SEC_TOKEN_DIRECTORY": "/etc/sheepfold/shepherd/commands.d"}
PLAYBOOK = """\
- hosts: flock_central_manager
  gather_facts: false
  roles: [sheepfold.htcondor.shepherd]
"""
# As on a real central manager, where tools authenticate by the file system.
BY_FILE_SYSTEM = """\
COLLECTOR.SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS
SEC_READ_AUTHENTICATION_METHODS = FS, IDTOKENS
SEC_ADMINISTRATOR_AUTHENTICATION_METHODS = FS, IDTOKENS
ALLOW_ADMINISTRATOR = root@site.test condor@site.test
"""
SYSTEMCTL = """\
#!/bin/sh
unit=/etc/systemd/system/shepherd.service
for word; do case $word in
show) [ -e $unit ] && echo LoadState=loaded || echo LoadState=not-found
      [ -e /run/active ] && echo ActiveState=active || echo ActiveState=inactive ;;
is-enabled) [ -e /run/enabled ] && echo enabled && exit; echo disabled; exit 1 ;;
enable | disable | start | restart | reload | stop) echo $word >>/run/systemctl
      case $word in
      enable) : >/run/enabled ;;
      disable) rm -f /run/enabled ;;
      start | restart) : >/run/active ;;
      stop) rm -f /run/active ;;
      esac ;;
esac; done
"""
# No capabilities, nothing more to be gained, and no memory that can be written and run (PR_SET_MDWE).
WITHOUT_MORE = """\
import ctypes, os
assert not ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
os.execl("/usr/local/sbin/shepherd", "shepherd", "run")
"""
IDENTITY = ["--reuid=shepherd", "--regid=shepherd", "--init-groups"]
LOCKED_IN = ["setpriv", *IDENTITY, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "python3", "-c", WITHOUT_MORE]
# A site that a test has the patience for.
QUICK = {"cycle": 5, "lease": 60, "reserve": 0.0, "low_cycles": 1, "collector_age": 5, "dwell": 0, "lag": 6}
# As the site has it: for the startd alone (flock_site.NODE).
VERIFIED = """\
FlockVerifyResult = "pass"
FlockVerifyTime = {now}
STARTD.STARTD_ATTRS = $(STARTD.STARTD_ATTRS) FlockVerifyResult FlockVerifyTime
"""


class Shepherded(Site):
    """The site with the flock, and with the role's variables."""

    def __init__(self, root: Root) -> None:
        self.more: dict[str, Any] = {}
        self.others: list[str] = []
        super().__init__(root)

    def _start(self) -> None:
        super()._start()
        self.submit.configure(BY_FILE_SYSTEM, "20-methods.conf")
        self.submit.reconfig()
        self.pool.world.write("/usr/bin/systemctl", SYSTEMCTL, mode=0o755)
        self.apply()
        self.start_container()
        self.wait(lambda: "slot1@f220.sips" in self.names(), "the container's slot in the flock's collector")

    def _inventory(self) -> dict[str, Any]:
        inventory = super()._inventory()
        own = {"shepherd_config_directory": f"{self.submit.dir}/config.d", "shepherd_packages": []}
        own |= {"shepherd_settings": QUICK, "shepherd_pool": {"settle": 3}}
        inventory["all"]["vars"] |= own | self.more
        inventory["all"]["children"]["flock_central_manager"]["hosts"] |= dict.fromkeys(self.others)
        return inventory

    def shepherd(self, *arguments: str, **variables: Any) -> str:
        """Run the role on the central manager; what Ansible said."""
        self.more = variables
        return self._ansible(PLAYBOOK, *arguments).stdout

    def user(self, command: str, env: dict[str, str] | None = None, name: str = USER) -> CommandResult:
        """Run a command on the central manager as a user."""
        return self.submit.run(["runuser", "-u", name, "--", *shlex.split(command)], check=False, env=env or {})

    def state(self, machine: str) -> str:
        """The state of a host's slot."""
        constraint = ["-constraint", f'Machine == "{machine}"', "-af", "State"]
        return self.submit.run(["condor_status", *constraint], check=False).stdout.strip()

    def asked(self) -> str:
        """What systemd was asked for since the last time."""
        said = self.submit.run(["sh", "-c", "cat /run/systemctl; : >/run/systemctl"], check=False).stdout
        return " ".join(said.split())


def changed(output: str) -> int:
    return sum(int(number) for number in re.findall(r"changed=(\d+)", output))


@pytest.fixture(scope="module")
def site(root: Root) -> Iterator[Shepherded]:
    made = Shepherded(root)
    try:
        yield made
    finally:
        made.close()


def test_it_comes_as_foretold_and_only_once(site: Shepherded) -> None:
    assert changed(site.shepherd("--check", "--diff"))
    assert site.asked() == ""
    assert site.submit.run(["getent", "passwd", USER], check=False).rc, "check mode touches nothing"
    assert changed(site.shepherd())
    assert site.asked() == "start enable"
    assert changed(site.shepherd()) == 0
    assert site.asked() == ""


def test_what_can_be_read_again_is_no_reason_to_restart(site: Shepherded) -> None:
    site.shepherd(shepherd_settings={**QUICK, "quick": 60})
    assert site.asked() == "reload"
    site.shepherd(shepherd_metrics={"port": 9900})
    assert site.asked() == "restart"
    site.shepherd()
    site.asked()


def test_its_user_commands_regular_startds_and_nobody_else_does(site: Shepherded) -> None:
    assert site.user("condor_drain -graceful p220.site.test", name="alice").rc
    assert not site.user("condor_drain -graceful p220.site.test").rc
    site.wait(lambda: site.state("p220.site.test") == "Drained", "the drain")
    assert not site.user("condor_drain -cancel p220.site.test").rc
    site.wait(lambda: site.state("p220.site.test") == "Unclaimed", "the drain's end")
    assert not site.user("condor_off -startd -peaceful -name p220.site.test").rc
    site.wait(lambda: not site.state("p220.site.test"), "the startd's end")
    assert not site.user("condor_on -startd -name p220.site.test").rc
    site.wait(lambda: site.state("p220.site.test"), "the startd")


def test_its_user_commands_containers_by_its_own_tokens(site: Shepherded) -> None:
    pool = f"-pool {site.submit.run(['condor_config_val', 'FLOCK_COLLECTOR_HOST']).stdout.strip()}"
    site.pool.world.write("/tmp/lease.ad", "FlockOpenUntil = 1\n")
    lease = f"condor_update_machine_ad {pool} -name f220.sips /tmp/lease.ad"
    assert site.user(lease).rc, "without a token"
    assert not site.user(lease, env=TOKENS).rc
    assert not site.user(f"condor_drain {pool} -graceful f220.sips", env=TOKENS).rc
    assert not site.user(f"condor_drain {pool} -cancel f220.sips", env=TOKENS).rc
    # The keys, and what role pool hands out, stay root's.
    assert site.user("ls /etc/sheepfold/pool").rc
    assert site.user("touch /etc/sheepfold/shepherd/commands.d/other").rc


def test_its_user_reads_and_no_more_at_the_flocks_collector(site: Shepherded) -> None:
    assert site.user(f"condor_status -pool {FLOCK_POOL}").rc == 0
    assert site.user(f"condor_status -pool {FLOCK_POOL}", name="alice").rc
    assert site.user("condor_q -allusers -totals").rc == 0


def test_it_lends_as_its_user(site: Shepherded) -> None:
    site.p220.configure(VERIFIED.format(now=int(time.time())), "61-flock-verify.conf")
    site.p220.reconfig()
    assert site.user("/usr/local/sbin/shepherd check-config").rc == 0
    world = site.pool.world
    with subprocess.Popen(
        world.enter(LOCKED_IN, env=site.submit.env, netns="submit"), stderr=subprocess.PIPE, text=True
    ) as daemon:
        try:
            lease = ["-constraint", "FlockOpenUntil > time()"]
            site.wait(lambda: site.names(*lease), "an open container", 150)
            assert site.state("p220.site.test") == "Drained"
        finally:
            world.run(["sh", "-c", "kill -TERM $(cat /var/lib/shepherd/lock)"], check=False)
            said = daemon.communicate(timeout=60)[1]
    assert daemon.returncode == 0
    assert 'actions="p220: drain (peaceful)"' in said
    assert 'actions="f220: open for 60 s"' in said


def test_one_of_several_says_whether_it_acts(site: Shepherded) -> None:
    """As its user, known by the file system alone; the other central manager (named here, and not there) is not heard."""
    site.others = ["cm2"]
    site.shepherd("--limit", "submit")
    constraint = ["-constraint", 'MyType == "FlockShepherd"', "-af", "Name", "Acts", "Term"]

    def said() -> str:
        site.submit.reconfig()
        site.user("/usr/local/sbin/shepherd cycle")
        return site.submit.run(["condor_status", "-any", *constraint], check=False).stdout.strip()

    site.wait(lambda: said() == "submit false 0", "what it says")
    refused = site.user("/usr/local/sbin/shepherd cycle")
    assert "does not act before cm2 has said that it stands by" in refused.stderr
    assert site.submit.run(["/usr/local/sbin/shepherd", "take-over"], check=False).rc == 1
    assert site.submit.run(["/usr/local/sbin/shepherd", "take-over", "--other-is-dead"]).rc == 0
    site.wait(lambda: said() == "submit true 1", "what it says")
    assert site.asked() == "reload"


def test_it_goes_without_a_trace(site: Shepherded) -> None:
    site.others = []
    assert changed(site.shepherd("--check", "--diff", shepherd_state="absent"))
    assert changed(site.shepherd(shepherd_state="absent"))
    assert site.asked() == "disable stop"
    assert changed(site.shepherd(shepherd_state="absent")) == 0
    ours = ("/etc/sheepfold/shepherd", "/usr/local/lib/sheepfold", "/usr/local/sbin/shepherd", "/var/lib/shepherd")
    unit = "/etc/systemd/system/shepherd.service"
    question = f"ls -d {' '.join(ours)} {unit}; getent passwd {USER}; getent group {USER}"
    assert site.submit.run(["sh", "-c", question], check=False).stdout == ""
