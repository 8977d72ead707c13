"""Role `pool` on real pools: who may come in, who may say what, and that the site's own pool does not notice.

One site for all tests, in their order: a local job starts before the role comes and ends after it has gone.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator

import hostile_ads
import pytest
from condor_harness import Master, Root
from condor_harness.world import wait_for
from flock_site import COMMAND_TOKENS, FLOCK, FLOCK_POOL, OUT_TOKEN, SITE_POOL_SEEN_BY_FLOCK, Site, job

# Several negotiation cycles of the harness, which take two to three seconds each.
LONG_ENOUGH = 10
ANONYMOUS = {
    f"_CONDOR_SEC_{context}_{feature}": "NEVER" if context == "CLIENT" else "OPTIONAL"
    for context in ("CLIENT", "DEFAULT")
    for feature in ("AUTHENTICATION", "ENCRYPTION", "INTEGRITY")
}


class Flock:
    """The site with everything in it."""

    def __init__(self, root: Root) -> None:
        self.site = Site(root)
        pool = self.site.pool
        self.witness = pool.submit(self.site.submit, job(seconds=3600, label="witness"))
        pool.wait_job(self.site.submit, self.witness, 2)
        self.before = self.snapshot()
        self.prediction = self.site.apply("--check", "--diff")
        self.untouched = self.snapshot() == self.before
        self.first = self.site.apply()
        self.second = self.site.apply()
        self.f220 = self.site.start_container()
        self.site.invite_remote()
        self.site.wait(lambda: "slot1@f220.sips" in self.site.names(), "the container's slot in the flock's collector")

    def snapshot(self) -> str:
        """What there is of configuration, keys and daemons on the site's hosts."""
        below = "find /srv/condor/{submit,p220}/{config.d,passwords.d,tokens.d,log/flock} /etc/sheepfold /var/lib/sheepfold"
        found = self.site.pool.world.run(["bash", "-c", f"{below} -mindepth 1 | sort"]).stdout
        daemons = [len(self.site.submit.pids(name)) for name in ("condor_collector", "condor_negotiator", "condor_schedd")]
        return f"{found}{daemons}"


@pytest.fixture(scope="module")
def flock(root: Root) -> Iterator[Flock]:
    made = None
    try:
        made = Flock(root)
        yield made
    finally:
        if made is not None:
            made.site.close()


@pytest.fixture(scope="module")
def site(flock: Flock) -> Site:
    return flock.site


def changed(output: str) -> list[int]:
    return [int(number) for number in re.findall(r"changed=(\d+)", output)]


def stay_idle(site: Site, ap: Master, *clusters: str) -> None:
    """Several cycles pass and nothing takes these jobs."""
    end = time.monotonic() + LONG_ENOUGH
    while time.monotonic() < end:
        for cluster in clusters:
            ad = site.pool.job(ap, cluster)
            assert ad.get("JobStatus") == 1, f"job {cluster} left the queue's idle state: {ad}"
            assert "NumJobMatches" not in ad, f"job {cluster} was matched with {ad.get('LastRemoteHost', ad.get('RemoteHost'))}"
        time.sleep(1)
    ap.run(["condor_rm", *clusters])


def ran_at(site: Site, ap: Master, cluster: str) -> str:
    """The job runs to its end; on which machine."""

    def machine() -> str:
        ad = site.pool.job(ap, cluster)
        return str(ad["LastRemoteHost"]).split("@")[-1] if ad.get("JobStatus") == 4 and "LastRemoteHost" in ad else ""

    return str(site.wait(machine, f"the end of job {cluster}"))


def assert_never_interrupted(flock: Flock) -> None:
    """The job that ran before the role came runs still, in its first start (the schedd was restarted, by consent)."""
    ad = flock.site.pool.job(flock.site.submit, flock.witness)
    assert (ad["JobStatus"], ad["JobCurrentStartDate"]) == (2, ad["JobStartDate"])


def advertise(site: Site, who: Master, command: str, lines: list[str], pool: str = FLOCK_POOL) -> int:
    """Send an ad as a host does, with its token; the tool's exit status."""
    site.pool.world.write("/tmp/forged.ad", "\n".join(lines) + "\n")
    env = {"_CONDOR_SEC_CLIENT_AUTHENTICATION_METHODS": "IDTOKENS"}
    return who.run(["condor_advertise", "-tcp", "-pool", pool, command, "/tmp/forged.ad"], check=False, env=env).rc


def own_ad(site: Site) -> dict[str, str]:
    """The container's slot ad as it is, by attribute, in HTCondor's words."""
    text = site.submit.run(["condor_status", "-pool", FLOCK_POOL, "-long", "slot1@f220.sips"]).stdout
    return dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)


def as_lines(ad: dict[str, str]) -> list[str]:
    return [f"{name} = {value}" for name, value in ad.items()]


# --- how it comes


def test_check_mode_predicts_and_touches_nothing(flock: Flock) -> None:
    assert flock.untouched
    assert all(count > 0 for count in changed(flock.prediction.stdout))
    assert "60-flock-central-manager.conf" in flock.prediction.stdout


def test_second_run_changes_nothing(flock: Flock) -> None:
    assert all(count > 0 for count in changed(flock.first.stdout))
    assert changed(flock.second.stdout) == [0, 0]


def test_no_secret_is_shown(flock: Flock) -> None:
    world = flock.site.pool.world
    secrets = [
        world.read(f"/etc/sheepfold/pool/{name}").strip()
        for name in ("passwords.d/flock", "f220/passwords.d/f220", "f220/token", "commands.d/f220", "out/remote/token")
    ]
    for run in (flock.prediction, flock.first, flock.second):
        for secret in secrets:
            assert len(secret) > 40
            assert secret not in run.stdout + run.stderr


def test_secrets_are_roots_alone(site: Site) -> None:
    answer = site.pool.world.run(["find", "/etc/sheepfold/pool", "-perm", "/077", "-o", "-not", "-user", "root"])
    assert answer.stdout == ""


def test_a_local_job_goes_on(flock: Flock) -> None:
    assert_never_interrupted(flock)


def test_status_shows_p_and_f(site: Site) -> None:
    site.wait(lambda: {"slot1@p220.site.test", "slot1@f220.sips"} <= site.names(pool=""), "p220 and f220 in the site's collector")
    site.wait(lambda: {"p220.site.test", "f220.sips"} <= site.names("-master", pool=""), "both masters in the site's collector")
    roles = {ad["Name"]: ad.get("FlockNode") for ad in site.status(site.submit)}
    assert roles["slot1@p220.site.test"] is False
    assert roles["slot1@f220.sips"] is True


# --- whose job runs where


def test_a_container_is_closed_until_it_is_opened(site: Site) -> None:
    cluster = site.pool.submit(site.remote, job(label="first"), user="bob")
    end = time.monotonic() + LONG_ENOUGH
    while time.monotonic() < end:
        assert site.pool.job(site.remote, cluster)["JobStatus"] == 1
        time.sleep(1)
    site.lease(600)
    assert ran_at(site, site.remote, cluster) == "f220.sips"
    assert site.pool.world.read("/home/bob/first.out").strip() == "flockslot1"


def test_each_slot_has_a_user_of_its_own(site: Site) -> None:
    site.lease(600)
    cluster = site.pool.submit(site.remote, job(seconds=8, label="both$(Process)").replace("queue", "queue 3"), user="bob")
    site.pool.wait(lambda: {ad.get("JobStatus") for ad in _queue(site, cluster)} == {1, 2}, "two of three jobs running")
    # The third waits: there are two users.
    assert sorted(ad["JobStatus"] for ad in _queue(site, cluster)) == [1, 2, 2]
    site.pool.wait(lambda: not _queue(site, cluster), "the end of three jobs")
    users = {site.pool.world.read(f"/home/bob/both{process}.out").strip() for process in (0, 1)}
    assert users == {"flockslot1", "flockslot2"}


def _queue(site: Site, cluster: str) -> list[dict[str, int]]:
    text = site.remote.run(["condor_q", cluster, "-json", "-attributes", "JobStatus,RemoteHost"], check=False).stdout
    return json.loads(text) if text.strip() else []


def test_a_local_job_never_starts_in_a_container(site: Site) -> None:
    site.lease(600)
    stay_idle(site, site.submit, site.pool.submit(site.submit, job("requirements = TARGET.FlockNode =?= True")))
    cluster = site.pool.submit(site.submit, job("requirements = TARGET.FlockNode =?= False"))
    assert ran_at(site, site.submit, cluster) == "p220.site.test"


FORGED = (
    '+NTDomain = "site.test"\n+FileSystemDomain = "p220"\n+LocalSubmitter = True',
    '+AcctGroup = "local"\n+AcctGroupUser = "alice"\n+AccountingGroup = "local.alice"',
    '+FlockNode = False\n+FlockMirrored = False\n+AuthenticatedIdentity = "condor@site.test"\n+WantFlocking = False',
)
ELSEWHERE = 'TARGET.Machine =!= "remote.remote.test"'


def test_a_foreign_job_never_starts_on_a_regular_slot(site: Site) -> None:
    site.lease(600)
    stay_idle(
        site,
        site.remote,
        *(
            site.pool.submit(site.remote, job(f"{forged}\nrequirements = {ELSEWHERE} && TARGET.FlockNode =!= True"), user="bob")
            for forged in FORGED
        ),
    )
    # The same jobs without a wish for a regular slot start: it is the slot that is closed to them.
    for cluster in [site.pool.submit(site.remote, job(f"{forged}\nrequirements = {ELSEWHERE}"), user="bob") for forged in FORGED]:
        assert ran_at(site, site.remote, cluster) == "f220.sips"


def test_a_local_job_flocks_out(site: Site) -> None:
    cluster = site.pool.submit(site.submit, job('requirements = regexp("remote", TARGET.Machine)', label="out"))
    assert ran_at(site, site.submit, cluster) == "remote.remote.test"
    assert site.pool.world.read("/home/alice/out.out").strip()


def test_the_lease_ends_by_itself_and_a_running_job_goes_on(site: Site) -> None:
    site.lease(600)
    cluster = site.pool.submit(site.remote, job(seconds=20, label="long"), user="bob")
    site.pool.wait_job(site.remote, cluster, 2)
    site.lease(1)
    time.sleep(3)
    late = site.pool.submit(site.remote, job(label="late"), user="bob")
    site.pool.wait_job(site.remote, cluster, 4)
    # The access point may try the claim that it has still; the startd starts nothing.
    time.sleep(LONG_ENOUGH)
    assert site.pool.job(site.remote, late)["JobStatus"] in (1, 2)
    assert not (site.pool.world.root / "home/bob/late.out").exists() or site.pool.world.read("/home/bob/late.out") == ""
    site.remote.run(["condor_rm", late])


# --- who may say what


def test_the_honest_ad_is_taken(site: Site) -> None:
    """The control of the forged ones: the same ad with a mark of the test's."""
    assert advertise(site, site.pool.masters["f220"], "UPDATE_STARTD_AD", as_lines({**own_ad(site), "Marked": "True"})) == 0
    site.wait(
        lambda: site.status(site.submit, "-constraint", "Marked =?= True", pool=FLOCK_POOL),
        "the marked ad in the flock's collector",
    )


_TAIL = "alias=f220.sips&noUDP&sock=startd>"
LIES = (
    {"Name": "slot1@p220.site.test", "Machine": "p220.site.test"},
    {"Name": "slot1@p220.site.test"},
    {"Name": "slot1@f221.sips", "Machine": "f221.sips"},
    {"Name": "slot7@f221.sips"},
    {"Name": "slot2@f220.sips"},
    {"Name": "slot1_3@f220.sips"},
    {"Name": "slot1_01@f220.sips"},
    {"FlockNode": "False"},
    {"FlockHost": "p221"},
    {"FlockMirrored": "True"},
    {"MyAddress": "<10.27.1.220:9618?addrs=10.27.1.220-9618&alias=p220&noUDP&sock=startd>"},
    {"MyAddress": f"<10.27.2.220:9618?addrs=10.27.1.220-9618&{_TAIL}"},
    {"MyAddress": f"<10.27.2.220:9618?CCBID=10.27.1.220:9618#1&PrivNet=flock.sips&addrs=10.27.2.220-9618&{_TAIL}"},
    {"MyAddress": f"<10.27.2.220:9618?PrivAddr=%3c10.27.1.220:9618%3e&PrivNet=flock.sips&addrs=10.27.2.220-9618&{_TAIL}"},
)


def test_a_containers_token_cannot_lie(site: Site) -> None:
    f220 = site.pool.masters["f220"]
    for number, lie in enumerate(LIES):
        words = {name: value if value in ("True", "False") else f'"{value}"' for name, value in lie.items()}
        ad = {**own_ad(site), **words, "Lie": str(number)}
        if "MyAddress" in lie:
            ad["StartdIpAddr"] = words["MyAddress"]
        advertise(site, f220, "UPDATE_STARTD_AD", as_lines(ad))
        advertise(site, f220, "UPDATE_MASTER_AD", as_lines({**ad, "MyType": '"DaemonMaster"'}))
    time.sleep(3)
    for pool in (FLOCK_POOL, ""):
        taken = site.status(site.submit, "-any", "-constraint", "Lie isnt undefined", pool=pool)
        assert [(LIES[ad["Lie"]], ad["Name"]) for ad in taken] == []


def test_a_containers_token_is_worth_nothing_at_the_sites_collector(site: Site) -> None:
    f220 = site.pool.masters["f220"]
    assert site.status(f220, pool=FLOCK_POOL)
    answer = site.ask(f220, pool=SITE_POOL_SEEN_BY_FLOCK)
    assert answer.rc != 0
    assert "p220" not in answer.stdout
    advertise(site, f220, "UPDATE_STARTD_AD", as_lines({**own_ad(site), "Lie": "True"}), pool=SITE_POOL_SEEN_BY_FLOCK)
    time.sleep(2)
    assert site.names("-constraint", "Lie =?= True", pool="") == set()


def test_nobody_in_the_flock_reads_the_sites_collector_anonymously(site: Site) -> None:
    """HTCondor's recommended settings let everybody read."""
    f220 = site.pool.masters["f220"]
    assert site.ask(f220, "-any", pool=SITE_POOL_SEEN_BY_FLOCK, env=ANONYMOUS).stdout.strip() == ""
    assert site.ask(site.remote, "-any", pool="203.0.113.1:9618?sock=collector", env=ANONYMOUS).stdout.strip() == ""
    # The control: who is not of the flock reads as before.
    assert "p220" in site.ask(site.p220, "-any", pool="10.27.1.1:9618", env=ANONYMOUS).stdout


def test_nobody_asks_the_flock_for_a_token(site: Site) -> None:
    f220 = site.pool.masters["f220"]
    env = {"_CONDOR_SEC_CLIENT_AUTHENTICATION_METHODS": "IDTOKENS"}
    ask = ["timeout", "20", "condor_token_request", "-identity", "condor@flock.sips", "-pool"]
    refused = f220.run([*ask, FLOCK_POOL], check=False, env=env)
    assert (refused.rc, "Token request disabled" in refused.stdout + refused.stderr) == (1, True), refused
    refused = f220.run([*ask, SITE_POOL_SEEN_BY_FLOCK], check=False, env=env)
    assert (refused.rc, "Failed to authenticate" in refused.stdout + refused.stderr) == (1, True), refused


def test_what_the_site_has_for_single_daemons_is_appended_to(site: Site) -> None:
    """Its lines (flock_site.SITE) stand before those for all daemons: the flock would not be seen there."""

    def value(name: str, *options: str) -> list[str]:
        return site.submit.run(["condor_config_val", *options, name]).stdout.replace(",", " ").split()

    assert value("DC_DAEMON_LIST") == ["+DEFRAG", "FLOCK_COLLECTOR", "FLOCK_NEGOTIATOR"]
    assert value("DENY_READ", "-subsystem", "SCHEDD") == ["192.0.2.0/24", FLOCK["subnet"]]
    assert value("DENY_READ_COLLECTOR", "-subsystem", "COLLECTOR")[:2] == ["192.0.2.0/24", FLOCK["subnet"]]


def test_a_container_cannot_empty_the_sites_collector(site: Site) -> None:
    """HTCondor binds no invalidation to an identity. It reaches the flock's collector, and that one alone."""
    f220 = site.pool.masters["f220"]
    lines = ['MyType = "Query"', 'TargetType = "Machine"', "Requirements = True"]
    assert advertise(site, f220, "INVALIDATE_STARTD_ADS", lines) == 0
    advertise(site, f220, "INVALIDATE_STARTD_ADS", lines, pool=SITE_POOL_SEEN_BY_FLOCK)
    time.sleep(3)
    assert "slot1@p220.site.test" in site.names(pool="")
    site.wait(lambda: "slot1@f220.sips" in site.names(), "the container's ad again")


# --- what a container's ad does to who reads it

LOOKED_AT = {"Name", "Machine", "MyAddress", "FlockNode", "State", "SlotID"}
MARKS = itertools.count(70_001)


def attack(site: Site, values: dict[str, str]) -> None:
    """Send the container's own slot ad with other values."""
    answer = hostile_ads.send(site.pool.masters["f220"], FLOCK_POOL, values)
    assert answer.rc == 0, answer


def copied(site: Site, values: dict[str, str]) -> None:
    """Send such an ad until its copy is there; all the while the site's collector has p220's own ad and no forged one."""
    mark = next(MARKS)

    def seen() -> bool:
        # Every few seconds the honest ad comes again.
        attack(site, {"TotalDisk": str(mark), **values})
        end = time.monotonic() + 3
        while time.monotonic() < end:
            ads = {ad["Name"]: ad for ad in site.status(site.submit)}
            regular = {name for name in ads if name.endswith("@p220.site.test")}
            assert "slot1@p220.site.test" in regular, f"the site's collector has {sorted(ads)}"
            assert not any("Evil" in ad for ad in ads.values())
            assert set(ads) - regular <= {"slot1@f220.sips"}
            if ads.get("slot1@f220.sips", {}).get("TotalDisk") == mark:
                return True
        return False

    wait_for(seen, f"a copy of the ad with {values}", 60)


def regular_slots(site: Site, constraint: str) -> bool:
    """Whether the site's collector answers, and with p220's slots alone."""
    names = site.submit.run(["condor_status", "-constraint", constraint, "-af", "Name"], timeout=20).stdout.split()
    return {name.split("@")[1] for name in names} == {"p220.site.test"}


def test_no_text_of_an_ad_becomes_an_ad_or_a_constraint(site: Site) -> None:
    copied(site, {})
    evil = hostile_ads.forgery(MyType="Machine", Name="slot1@p220.site.test", Machine="p220.site.test", Evil="Evil")
    for text in (hostile_ads.wipe(), evil, hostile_ads.quoted("a\u2028b = 1")):
        copied(site, dict.fromkeys(("Note", "MaxWallTimeMins", "RemoteOwner"), text))
    copied(site, dict.fromkeys(("Note", "MaxWallTimeMins"), hostile_ads.quoted("x" * 1_000_000)))


def test_no_expression_is_taken_of_what_is_looked_at(site: Site) -> None:
    """One that is true here and another thing later, and one that takes for ever."""
    honest = {name: value for name, value in own_ad(site).items() if name in LOOKED_AT}
    assert set(honest) == LOOKED_AT
    for name, value in honest.items():
        attack(site, {"Lie": "true", name: f"ifThenElse(LastHeardFrom is undefined, {value}, {value})"})
        attack(site, {"Lie": "true", **hostile_ads.bomb(), name: f"(FlockMirrored =?= true && Bomb40) ?: {value}"})
        attack(site, {"Lie": "true", name: "!true"})
        # HTCondor itself compares the addresses before it asks what is required of an ad (docs/security.md).
        if name != "MyAddress":
            attack(site, {"Lie": "true", **hostile_ads.bomb(), name: "Bomb40"})
    begin = time.monotonic()
    assert site.names("-constraint", "Lie isnt undefined") == set()
    assert "slot1@f220.sips" in site.names() and time.monotonic() - begin < 10


def test_the_negotiator_looks_at_the_mark_first(site: Site) -> None:
    """With the site's own identity: whatever a copy may contain, the site's negotiator evaluates nothing of it."""
    values = {**hostile_ads.bomb(), "FlockNode": "Bomb40", "FlockMirrored": "true", "Name": '"slot1@bomb.sips"'}
    tokens = f"{site.submit.dir}/tokens.d"
    answer = hostile_ads.send(site.submit, "10.27.1.1:9618", values, like="slot1@p220.site.test", tokens=tokens)
    assert answer.rc == 0, answer
    constraint = site.submit.run(["condor_config_val", "-subsystem", "NEGOTIATOR", "NEGOTIATOR_SLOT_CONSTRAINT"]).stdout.strip()
    assert regular_slots(site, constraint)
    lines = ['MyType = "Query"', 'TargetType = "Machine"', 'Requirements = Name == "slot1@bomb.sips"']
    advertise(site, site.submit, "INVALIDATE_STARTD_ADS", lines, pool="10.27.1.1:9618")


def test_a_foreign_job_does_not_stop_the_copies(site: Site) -> None:
    """The job's attributes are in the slot's ad; Python ends a line where HTCondor does not."""
    site.lease(600)
    cluster = site.pool.submit(site.remote, job('+MaxWallTimeMins = "a\u2028b = 1"', seconds=60, label="lines"), user="bob")
    site.pool.wait_job(site.remote, cluster, 2, timeout=120)
    site.wait(lambda: "slot1_1@f220.sips" in site.names(pool=""), "the copy of the job's slot", timeout=30)
    site.remote.run(["condor_rm", cluster])


def test_a_foreign_token_is_for_an_access_point_alone(site: Site) -> None:
    ad = {**own_ad(site), "Lie": "True"}
    advertise(site, site.remote, "UPDATE_STARTD_AD", as_lines(ad), pool="203.0.113.1:9618?sock=flock_collector")
    time.sleep(2)
    assert site.names("-constraint", "Lie =?= True") == set()


ADDRESSES = {
    "honest": "<203.0.113.9:9618?addrs=203.0.113.9-9618&alias=remote&noUDP&sock=schedd_1_abcd>",
    "other": "<10.27.1.220:9618?addrs=10.27.1.220-9618&noUDP&sock=schedd_1_abcd>",
    "hidden": "<203.0.113.9:9618?addrs=10.27.1.220-9618&noUDP&sock=schedd_1_abcd>",
    "second": "<203.0.113.9:9618?addrs=203.0.113.9-9618+10.27.1.220-9618&noUDP&sock=schedd_1_abcd>",
    "private": "<203.0.113.9:9618?PrivAddr=%3c10.27.1.220:9618%3e&PrivNet=site.sips&addrs=203.0.113.9-9618&noUDP>",
}


def test_a_foreign_access_point_is_where_it_is_said_to_be(site: Site) -> None:
    """The negotiator opens a connection to the address in a submitter's ad."""
    for name, address in ADDRESSES.items():
        lines = ['MyType = "Submitter"', f'Name = "{name}@remote.test"', 'Machine = "remote"', f'ScheddName = "{name}.test"']
        lines += [f'MyAddress = "{address}"', f'ScheddIpAddr = "{address}"', "IdleJobs = 0", "RunningJobs = 0"]
        advertise(site, site.remote, "UPDATE_SUBMITTOR_AD", lines, pool="203.0.113.1:9618?sock=flock_collector")
    site.wait(lambda: "honest@remote.test" in site.names("-submitters"), "the honest submitter")
    assert site.names("-submitters") & {f"{name}@remote.test" for name in ADDRESSES} == {"honest@remote.test"}


def test_foreign_submitters_are_unknown_to_the_site(site: Site) -> None:
    """The foreign pool says that its users are the site's own."""
    assert "bob@site.test" in site.names("-submitters")
    assert site.names("-submitters", pool="") == {"alice@site.test"}
    assert site.names("-schedd", pool="") == {"submit.site.test"}


def test_a_stranger_is_refused(site: Site) -> None:
    """Another pool's administrator without a token of ours."""
    env = {"_CONDOR_SEC_TOKEN_SYSTEM_DIRECTORY": "/nowhere", "_CONDOR_SEC_CLIENT_AUTHENTICATION_METHODS": "IDTOKENS"}
    assert site.ask(site.remote, pool="203.0.113.1:9618?sock=flock_collector", env=env).rc != 0


def test_the_sites_key_is_not_the_containers(site: Site) -> None:
    """A command with the site's own token does nothing to a container, one with the container's key does."""
    ping = [
        "condor_ping",
        "-pool",
        "127.0.0.1:9618?sock=flock_collector",
        "-type",
        "STARTD",
        "-name",
        "f220.sips",
        "ADMINISTRATOR",
    ]
    refused = site.submit.run(ping, check=False)
    assert refused.rc != 0
    assert "locate" not in refused.stderr
    answer = site.submit.run(ping, env={"_CONDOR_SEC_TOKEN_DIRECTORY": COMMAND_TOKENS})
    assert "flock-command@flock.sips" in answer.stdout


# --- changes and the end


def test_rotation_makes_the_old_token_worthless(site: Site) -> None:
    world = site.pool.world
    f220 = site.pool.masters["f220"]
    ping = ["condor_ping", "-address", f"<{FLOCK_POOL}>", "ADVERTISE_STARTD"]
    assert f220.run(ping).rc == 0
    old = world.read("/etc/sheepfold/pool/f220/token")
    site.apply("-e", '{"pool_rotate_tokens": ["f220"]}')
    assert world.read("/etc/sheepfold/pool/f220/token") != old
    assert f220.run(ping, check=False).rc != 0
    site.give_token()
    assert f220.run(ping).rc == 0


def test_a_token_that_others_can_read_is_one_sentence(site: Site) -> None:
    site.pool.world.run(["chmod", "0644", OUT_TOKEN])
    try:
        answer = site.apply(check=False)
    finally:
        site.pool.world.run(["chmod", "0600", OUT_TOKEN])
    assert answer.returncode != 0
    assert (
        f"token_file of flock.flock_out remote is '{OUT_TOKEN}', owner 0, mode 0644 on submit: expected owner 0 (root) and mode"
        " 0600, nobody else may read a token"
    ) in " ".join(answer.stdout.split())
    assert changed(answer.stdout) == [0, 0]


def test_a_line_of_the_site_that_comes_later_is_one_sentence(site: Site) -> None:
    later = f"{site.p220.dir}/config.d/99-site.conf"
    site.pool.world.write(later, "STARTD_ATTRS = COLLECTOR_HOST_STRING\n")
    try:
        answer = site.apply("-e", '{"pool_rotate_tokens": ["f220"]}', check=False)
    finally:
        site.pool.world.run(["rm", later])
    assert answer.returncode != 0
    assert (
        f"STARTD_ATTRS is 'COLLECTOR_HOST_STRING' ({later}, line 1): expected FlockNode in it, which 60-flock-node.conf appends;"
        " keep $(STARTD_ATTRS) in that line, or put it where HTCondor reads it before 60-flock-node.conf"
    ) in " ".join(answer.stdout.split())
    assert changed(answer.stdout) == [0, 0]


def test_absent_gives_the_site_back_and_its_job_runs_on(flock: Flock) -> None:
    site = flock.site
    site.apply("-e", "pool_state=absent")
    site.wait(lambda: flock.snapshot() == flock.before, "the configuration and the daemons as they were")
    site.wait(lambda: "slot1@f220.sips" not in site.names(pool=""), "no copy of the container's ad")
    assert "slot1@p220.site.test" in site.names(pool="")
    assert changed(site.apply("-e", "pool_state=absent").stdout) == [0, 0]
    assert_never_interrupted(flock)
    cluster = site.pool.submit(site.submit, job(label="after"))
    ended = site.pool.wait_job(site.submit, cluster, 4)
    # The other pool's negotiator still knows the access point: nothing comes of it.
    host = ended.get("LastRemoteHost") or ended["RemoteHost"]
    assert host.endswith("@p220.site.test") and ended["NumShadowStarts"] == 1
