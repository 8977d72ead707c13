"""Role `execute_node` on a node with systemd, and jobs through it, from the node as it was and back.

One site for all tests, in their order. Only the use of processor and memory is left out: they take controllers.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from condor_harness import build_systemd_execute_root
from flock_site import PROJECT
from node_site import CAPABILITIES, DIRECTORY, EXECUTE, FIRST_ID, SERVICE, STRAY, NodeSite, differences

DAEMONS = {"condor_master", "condor_procd", "condor_shared_p", "condor_startd"}
"""As the kernel cuts them."""
LEFT = "is prepared, and its HTCondor still runs as before: expected a restart of condor.service (a reboot will do)"
LEFT_BY_ABSENCE = "still runs without root, so that all but the drop-in stays: expected a restart of condor.service"
WHO = "id -un"
STARTD_ATTRIBUTES = {"SheepfoldMode": "identity", "SheepfoldDriver": "newuidmap", "SheepfoldAccounts": 8}
SECRETS = (
    f"{DIRECTORY}/tokens.d/site",
    f"{DIRECTORY}/passwords.d/POOL",
    "/run/credentials/condor.service/tokens.d_site",
    "/run/credentials/condor.service/passwords.d_POOL",
    "/run/sheepfold/credentials/tokens.d/site",
    "/run/sheepfold/credentials/passwords.d/POOL",
)
FORGE = """python3 -c '
import socket
record = b"MESSAGE=job 1.0 ended\\nSHEEPFOLD_EVENT=end\\nSHEEPFOLD_OWNER=forged\\nSHEEPFOLD_KIND=job\\n_UID=100\\n"
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(record, "/run/systemd/journal/socket")
'"""
_FIELDS = "CPU_SYSTEM CPU_USER EXECUTABLE EXIT GLOBAL_JOB_ID JOB KIND MEMORY_KIB MODE OWNER SHA256 SLOT USER"
RECORD = {f"SHEEPFOLD_{name}" for name in _FIELDS.split()}
"""Fields of a job's end in every mode that records."""


@pytest.fixture(scope="module")
def site() -> Iterator[NodeSite]:
    if os.geteuid() != 0:
        pytest.fail("tests/pool make namespaces and mounts: run them as root")
    made = NodeSite(build_systemd_execute_root())
    # The site's own, and of the package's list: nothing of it may be lost.
    made.pool.world.write("/etc/subuid", "alice:100000:65536\n")
    made.p220.configure("STARTD_CRON_ACCOUNTCHECK_PERIOD = 3s", "50-impatient.conf")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def as_it_was(site: NodeSite) -> dict[str, str]:
    """The node before the role."""
    return site.fingerprint()


def changed(answer: Any) -> int:
    return int(re.findall(r"changed=(\d+)", answer.stdout)[0])


def said(answer: Any) -> str:
    return " ".join(answer.stdout.split())


def account(output: str) -> str:
    """The pool account that a job says it is."""
    assert re.fullmatch(r"pool\d\d\n", output), output
    return output.strip()


def assert_clean(site: NodeSite) -> None:
    """Nothing of any job is there, and every account may be used."""
    site.wait(lambda: not site.strays() and not site.of_accounts(), "the end of all that jobs have started")
    site.wait(lambda: not site.sandboxes(), "the end of the sandboxes")
    site.wait(lambda: not site.quarantined(), "accounts that are proved clean")
    left = site.pool.world.run(["find", "/tmp", "/dev/shm", "/var/tmp", "-uid", f"+{FIRST_ID - 1}"]).stdout
    assert left == ""


# --- before the role


def test_before_it_daemons_are_root_and_jobs_their_owners(site: NodeSite, as_it_was: dict[str, str]) -> None:
    """The control of all that follows."""
    assert as_it_was
    assert {each["Name"] for each in site.daemons()} == DAEMONS
    assert {each["Name"]: each["Uid"].split()[0] for each in site.daemons()}["condor_master"] == "0"
    assert any(int(each["CapEff"], 16) for each in site.daemons())
    assert site.ran(WHO) == "alice\n"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "mode": (
        {"execute_node_mode": "both"},
        "Validation of arguments failed: value of execute_node_mode must be one of: identity, log-only, off, got: both",
    ),
    "driver": (
        {"execute_node_driver": "sudo"},
        "Validation of arguments failed: value of execute_node_driver must be one of: newuidmap, userv, got: sudo",
    ),
    "too few": (
        {"execute_node_accounts": {"count": 3}},
        "execute_node_accounts.count is 3: expected at least one for each of the 4 slots of p220",
    ),
    "overlap": (
        {"execute_node_accounts": {"first_id": 165000}},
        "/etc/subuid of p220 has alice:100000:65536, which overlaps the accounts' ids: expected execute_node_accounts.first_id",
    ),
    "a person's uid": (
        {"execute_node_accounts": {"prefix": "person"}},
        "Account person01 of p220 has the id 1234 (group 1234): expected an id from 2100000000 to",
    ),
    "a person's shell": (
        {"execute_node_accounts": {"prefix": "shell", "first_id": 300000}},
        "Account shell01 of p220 has the shell /bin/bash: expected one that lets nobody in",
    ),
    "somebody's id": (
        {"execute_node_accounts": {"first_id": 300000}},
        "Id 300000 of p220 belongs to shell01: expected execute_node_accounts.first_id other than 300000",
    ),
    "a plug-in that others can change": (
        {"execute_node_admission": {"plugin": "/tmp/plugin"}},
        "execute_node_admission.plugin has '/tmp/plugin', which could be changed by others than root",
    ),
}


def test_bad_input_is_one_sentence_and_nothing_changes(site: NodeSite, as_it_was: dict[str, str]) -> None:
    world = site.pool.world
    people = ("person01:x:1234:1234::/home/person01:/bin/bash", "shell01:x:300000:300000::/nonexistent:/bin/bash")
    passwd = world.read("/etc/passwd")
    world.write("/etc/passwd", passwd + "".join(f"{line}\n" for line in people))
    world.write("/tmp/plugin", "#!/bin/sh\n", mode=0o777)
    before = site.fingerprint()
    try:
        refusals = site.refusals({name: variables for name, (variables, _) in BAD.items()})
        with site.pretending("mount -t tmpfs tmpfs /sys/fs/cgroup"):
            hybrid = site.refusals({"hybrid": {}})["hybrid"]
        with site.pretending("echo 0 >/run/none; mount --bind /run/none /proc/sys/user/max_user_namespaces; rm /run/none || :"):
            forbidden = site.refusals({"forbidden": {}})["forbidden"]
        assert differences(before, site.fingerprint()) == []
    finally:
        world.write("/etc/passwd", passwd)
        world.run(["rm", "/tmp/plugin"])
    for name, (_, sentence) in BAD.items():
        assert " ".join(refusals[name].split()).startswith(sentence), (name, refusals[name])
    assert hybrid.startswith("Control groups of p220 are version 1 or hybrid: expected the unified hierarchy alone")
    assert forbidden.startswith("User namespaces are forbidden on p220: expected user.max_user_namespaces above 0")
    assert differences(as_it_was, site.fingerprint()) == []


def test_check_mode_foretells_and_without_consent_all_is_prepared(site: NodeSite, as_it_was: dict[str, str]) -> None:
    job = site.running(WHO, label="witness")
    foretold = site.apply("--check", "--diff")
    assert differences(as_it_was, site.fingerprint()) == []
    assert "condor.service.d/sheepfold-execute-node.conf" in foretold.stdout
    since = site.since()
    prepared = site.apply()
    assert changed(prepared) == changed(foretold) > 0
    assert LEFT in said(prepared)
    again = site.apply()
    assert changed(again) == 0
    assert LEFT in said(again)
    assert site.since() == since
    site.undisturbed(job, "witness")
    assert site.output("witness") == "alice\n"
    # As before, with all that was written: the snippet is not for daemons with root.
    assert site.ran(WHO) == "alice\n"
    lists = site.pool.world.run(["stat", "-c", "%U:%G %a", "/etc/at.deny", "/etc/subuid"]).stdout.splitlines()
    assert lists == ["root:daemon 640", "root:root 644"]
    assert site.pool.world.read("/etc/subuid") == f"alice:100000:65536\ncondor:{FIRST_ID}:8\n"


def test_with_consent_it_waits_for_the_running_job(site: NodeSite) -> None:
    job = site.running(WHO, label="waited")
    since = site.since()
    with site.beside(execute_node_restart_consent=True) as run:
        # What the ad has is an expression: the site's own START and False.
        site.wait(lambda: str(site.machine().get("Start")).lower().endswith(("false", "false)/")), "a node that takes no job")
        late = site.job(WHO, label="late")
        # Longer than an empty node takes to be restarted.
        time.sleep(8)
        assert site.since() == since
        site.undisturbed(job, "waited")
        answer = run.result()
    assert site.output("waited") == "alice\n"
    assert "is prepared" not in said(answer)
    assert site.since() != since
    # It began once, after that.
    ad = site.pool.wait_job(site.submit, late, 4)
    assert ad["NumJobStarts"] == 1
    account(site.output("late"))


# --- with it


def test_no_process_has_root_or_a_capability(site: NodeSite) -> None:
    job = site.running(label="shown")
    table = site.processes()
    site.remove(job)
    print()
    for each in table:
        words = [each["Name"], each["Uid"].split()[1], each["Namespace"], *(each[name] for name in CAPABILITIES)]
        print("{:16} {:>10} {:4} {} {} {} {}".format(*words))
    assert {each["Name"] for each in table} > {*DAEMONS, "condor_starter"}
    ids = {int(uid) for each in table for uid in (*each["Uid"].split(), *each["Gid"].split())}
    assert 0 not in ids
    for each in table:
        # A job's keeper has capabilities in a user namespace of its own: over HTCondor's user and the account, none on the host.
        assert each["Namespace"] == "own" or {int(each[name], 16) for name in CAPABILITIES} == {0}, each
        if each["Name"] in DAEMONS | {"condor_starter"}:
            assert (each["Namespace"], set(each["Uid"].split())) == ("host", {str(site.condor)})
    assert any(uid >= FIRST_ID for uid in ids)


def test_the_second_run_changes_nothing(site: NodeSite) -> None:
    before = site.fingerprint()
    assert changed(site.apply(execute_node_restart_consent=True)) == 0
    assert differences(before, site.fingerprint()) == []


def test_jobs_at_once_have_accounts_of_their_own(site: NodeSite) -> None:
    labels = [f"parallel{number}" for number in range(3)]
    jobs = {label: site.running(WHO, label=label) for label in labels}
    for label, job in jobs.items():
        site.release(label)
        site.pool.wait_job(site.submit, job, 4)
    assert len({account(site.output(label)) for label in labels}) == 3


def test_tokens_and_keys_are_refused_to_others(site: NodeSite) -> None:
    world = site.pool.world
    for path in SECRETS:
        assert world.run(["cat", path]).stdout, path
        assert world.run(["cat", path], user="alice", check=False).rc != 0, path
    for path in SECRETS[:2]:
        assert world.run(["stat", "-c", "%U %a", path]).stdout.split() == ["root", "600"]
    for path in SECRETS[-2:]:
        assert world.run(["stat", "-c", "%U %a", path]).stdout.split() == ["condor", "400"]
    refused = site.ran("for path in %s; do cat $path 2>/dev/null && echo got $path; done; %s" % (" ".join(SECRETS), WHO))  # noqa: UP031
    account(refused)


def test_settings_are_for_the_next_job_and_running_ones_go_on(site: NodeSite) -> None:
    since = site.since()
    job = site.running(WHO, label="during")
    assert changed(site.apply()) == 0
    assert changed(site.apply(execute_node_mode="log-only", execute_node_admission={"refused_users": ["bob"]})) == 1
    assert site.ran(WHO) == "condor\n"
    refused = site.job(WHO, "max_retries = 0", label="refused", user="bob")
    site.wait(lambda: "is refused" in site.pool.world.read("/home/bob/refused.log"), "the refusal in bob's log")
    site.remove(refused)
    site.undisturbed(job, "during")
    account(site.output("during"))
    assert site.since() == since


def test_records_are_in_the_journal(site: NodeSite) -> None:
    """Of the jobs of the last test, in modes identity and log-only, and of the refusal; then of what a job forges."""
    (logged,) = site.records("SHEEPFOLD_EVENT=end", "SHEEPFOLD_MODE=log-only")
    ended = site.records("SHEEPFOLD_EVENT=end", "SHEEPFOLD_MODE=identity", "SHEEPFOLD_EXIT=exit 0")
    for each in (logged, *ended):
        assert {name for name in each if name.startswith("SHEEPFOLD_")} >= RECORD
        assert (each["SHEEPFOLD_KIND"], each["SHEEPFOLD_OWNER"], each["SHEEPFOLD_USER"]) == ("job", "alice", "alice@site.test")
        assert (each["_UID"], each["_SYSTEMD_UNIT"], each["_HOSTNAME"]) == (str(site.condor), SERVICE, "p220")
        assert re.fullmatch(r"[0-9a-f]{64}", each["SHEEPFOLD_SHA256"])
        assert re.fullmatch(r"\d+\.0", each["SHEEPFOLD_JOB"])
    assert "SHEEPFOLD_ACCOUNT" not in logged
    assert {each["SHEEPFOLD_ACCOUNT"] for each in ended} <= {f"pool0{number}" for number in range(1, 9)}
    assert len(site.records("SHEEPFOLD_EVENT=start")) >= len(ended)
    refused = site.records("SHEEPFOLD_EVENT=refused")[-1]
    assert (refused["SHEEPFOLD_OWNER"], refused["SHEEPFOLD_CODE"]) == ("bob", "203")


def test_a_forged_record_has_the_uid_of_its_forger(site: NodeSite) -> None:
    site.apply()
    site.ran(FORGE)
    (forged,) = site.records("SHEEPFOLD_OWNER=forged")
    assert int(forged["_UID"]) >= FIRST_ID
    assert site.records("SHEEPFOLD_OWNER=forged", f"_UID={site.condor}") == []


def test_mode_off_is_an_empty_shell(site: NodeSite) -> None:
    records = len(site.records("SHEEPFOLD_KIND=job"))
    assert changed(site.apply(execute_node_mode="off")) == 1
    assert site.ran(WHO) == "condor\n"
    assert len(site.records("SHEEPFOLD_KIND=job")) == records


def test_a_plugin_that_hangs_is_a_refusal(site: NodeSite) -> None:
    site.pool.world.write("/usr/local/sbin/hang", "#!/bin/sh\nsleep 1000\n", mode=0o755)
    site.apply(execute_node_admission={"plugin": "/usr/local/sbin/hang", "plugin_timeout": 2})
    job = site.job(WHO, label="hanging")
    told = "admission_plugin gave no answer within 2 s"
    site.wait(lambda: told in site.pool.world.read("/home/alice/hanging.log"), "the refusal")
    site.remove(job)
    site.pool.world.run(["rm", "/usr/local/sbin/hang"])


def test_another_engine_does_not_reach_a_running_job(site: NodeSite) -> None:
    """Its files are all replaced, by such as nothing runs with: a running job needs none of them any more."""
    site.apply()
    broken = site.scratch / "engine"
    shutil.copytree(PROJECT / "plugins/module_utils/execute", broken, ignore=shutil.ignore_patterns("__pycache__"))
    for path in broken.rglob("*.py"):
        path.write_text(f"raise RuntimeError('{path.name} is broken')\n")
    job = site.running(WHO, label="old")
    try:
        assert changed(site.apply(execute_node__source=str(broken))) == 1
        site.undisturbed(job, "old")
        account(site.output("old"))
        # The control: with these files nothing runs, and no job is lost for it.
        last = site.job(WHO, label="broken")
        site.wait(lambda: "is broken" in site.pool.world.read("/home/alice/broken.log"), "what keeps a new job from starting")
        assert site.pool.job(site.submit, last)["JobStatus"] != 4
    finally:
        site.apply()
    site.pool.wait_job(site.submit, last, 4)
    account(site.output("broken"))
    assert_clean(site)


def test_the_check_of_each_minute_tells_clears_and_quarantines(site: NodeSite) -> None:
    world = site.pool.world
    site.wait(lambda: STARTD_ATTRIBUTES.items() <= site.machine().items(), "the check's attributes")
    world.write("/tmp/left", "", owner=(FIRST_ID, FIRST_ID))
    site.wait(lambda: "pool01: file /tmp/left" in site.machine()["SheepfoldLastCleared"], "a file that is cleared")
    assert not (world.root / "tmp/left").exists()
    # Root's: nobody without root can clear it.
    world.write("/var/mail/pool01", "")
    site.wait(lambda: site.machine()["SheepfoldQuarantined"] == "pool01: file /var/mail/pool01", "a quarantine")
    assert site.quarantined() == ["pool01.quarantine"]
    assert account(site.ran(WHO)) == "pool02"
    world.run(["rm", "/var/mail/pool01"])
    site.wait(lambda: site.machine()["SheepfoldQuarantined"] == "", "its end")
    assert account(site.ran(WHO)) == "pool01"


@pytest.mark.parametrize("how", ["starter", "startd", "restart", "service"])
def test_nothing_of_a_job_survives(site: NodeSite, how: str) -> None:
    job = site.job(f"setsid sleep {STRAY} & touch /tmp/mine /dev/shm/mine; sleep {STRAY}", label=how)
    site.wait(lambda: len(site.strays()) == 2, "the job's processes")
    if how == "restart":
        site.pool.world.run(["systemctl", "restart", SERVICE])
    elif how == "service":
        site.pool.world.run(["systemctl", "kill", "-s", "KILL", SERVICE])
    else:
        site.pool.world.run(["pkill", "-KILL", "-x", f"condor_{how}"])
    # Whatever runs it again would hide what is left of it.
    site.remove(job)
    assert_clean(site)
    account(site.ran(WHO))


def test_the_driver_userv(site: NodeSite) -> None:
    answer = site.apply(execute_node_driver="userv", execute_node_restart_consent=True)
    assert "is prepared" not in said(answer)
    account(site.ran(WHO))
    site.wait(lambda: site.machine().get("SheepfoldDriver") == "userv", "the driver in the machine's ad")
    assert site.records("SHEEPFOLD_EVENT=end")[-1]["SHEEPFOLD_DRIVER"] == "userv"
    for each in site.daemons():
        assert int(each["CapBnd"], 16) == 0, each


# --- and back


def test_absent_gives_the_node_back(site: NodeSite, as_it_was: dict[str, str]) -> None:
    foretold = site.apply("--check", execute_node_state="absent")
    # With driver userv still, which has files of its own.
    without = site.apply(execute_node_state="absent")
    assert changed(without) == changed(foretold) > 0
    assert LEFT_BY_ABSENCE in said(without)
    # Still whole.
    account(site.ran(WHO))
    site.apply(execute_node_state="absent", execute_node_restart_consent=True)
    assert differences(as_it_was, site.fingerprint()) == []
    assert {each["Name"]: each["Uid"].split()[0] for each in site.daemons()}["condor_master"] == "0"
    assert changed(site.apply(execute_node_state="absent", execute_node_restart_consent=True)) == 0
    site.pool.wait_startds("p220")
    assert site.ran(WHO) == "alice\n"
    # What is left is the old daemons' files, set aside.
    aside = site.pool.world.run(["find", DIRECTORY, "-name", "*.of-root"]).stdout.split()
    assert all(Path(path).parent.name in ("log", "lock", "run") for path in aside)
    assert site.pool.world.run(["ls", "-A", EXECUTE]).stdout == ""
    assert json.dumps(site.machine()).count("Sheepfold") == 0
