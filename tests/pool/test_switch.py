"""The switch with real HTCondor: its modes, its records, the site's rules, its hooks, and what a job sees."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
import switch_site
from condor_harness import Root
from execute_point import ACCOUNTS, EXECUTE, FIRST_ID, ExecutePoint

_IDLE, _COMPLETED = 1, 4
_WHO = "#!/bin/sh\nid -u; id -g; id -G\ngrep -E '^(NoNewPrivs|CapBnd|CapEff|Seccomp):' /proc/self/status\n"
_PLUGIN, _HOOK = "/usr/local/libexec/site-plugin", "/usr/local/libexec/site-hook"


@pytest.fixture(scope="module")
def site(execute_root: Root) -> Iterator[ExecutePoint]:
    with ExecutePoint(execute_root) as made:
        switch_site.install(made)
        yield made


@pytest.fixture(autouse=True)
def _plain_settings(site: ExecutePoint) -> None:
    switch_site.configure(site)


def _out(site: ExecutePoint, cluster: str) -> list[str]:
    site.pool.wait_job(site.cm, cluster, _COMPLETED)
    return site.world.read("/home/alice/out").splitlines()


def _condor(site: ExecutePoint) -> str:
    return site.world.run(["id", "-u", "condor"]).stdout.strip()


# Modes and records


def test_a_job_runs_as_an_account_and_is_on_record(site: ExecutePoint) -> None:
    script = _WHO + "exit 5\n"
    cluster = site.shell(script)
    job = site.pool.wait_job(site.cm, cluster, _COMPLETED)
    uid, gid, groups, *status = _out(site, cluster)
    assert (uid, gid, groups) == (str(FIRST_ID),) * 3
    assert dict(line.split(":\t") for line in status)["CapBnd"] == "0" * 16
    assert job["ExitCode"] == 5

    start, end = switch_site.record(site, cluster, "start"), switch_site.record(site, cluster, "end")
    for record in (start, end):
        assert str(record["_UID"]) == _condor(site)
        assert record["SYSLOG_IDENTIFIER"] == "sheepfold-switch"
        assert record["PRIORITY"] == "6"
        assert record["SHEEPFOLD_MODE"] == "identity"
        assert record["SHEEPFOLD_DRIVER"] == "newuidmap"
        assert record["SHEEPFOLD_SLOT"] == "slot1_1"
        assert record["SHEEPFOLD_GLOBAL_JOB_ID"] == job["GlobalJobId"]
        assert record["SHEEPFOLD_OWNER"] == "alice"
        assert record["SHEEPFOLD_USER"] == "alice@site.test"
        assert record["SHEEPFOLD_ACCOUNT"] == ACCOUNTS[0][0]
        assert record["SHEEPFOLD_UID"] == str(FIRST_ID)
        assert record["SHEEPFOLD_EXECUTABLE"].endswith("/job.sh")
        assert record["SHEEPFOLD_SHA256"] == hashlib.sha256(script.encode()).hexdigest()
    assert start["MESSAGE_ID"] != end["MESSAGE_ID"]
    assert end["SHEEPFOLD_EXIT"] == "exit 5"
    assert float(end["SHEEPFOLD_CPU_USER"]) + float(end["SHEEPFOLD_CPU_SYSTEM"]) < 5
    assert int(end["SHEEPFOLD_MEMORY_KIB"]) > 100
    assert "SHEEPFOLD_NOTE" not in end


def test_what_a_job_used_is_on_record(site: ExecutePoint) -> None:
    cluster = site.shell(
        "#!/usr/bin/python3\nimport time\nwhile time.process_time() < 0.6: pass\nx = b'x' * 60_000_000\nraise SystemExit\n"
    )
    end = switch_site.record(site, cluster, "end")
    assert 0.5 < float(end["SHEEPFOLD_CPU_USER"]) + float(end["SHEEPFOLD_CPU_SYSTEM"]) < 3
    assert 60_000 < int(end["SHEEPFOLD_MEMORY_KIB"]) < 200_000


def test_a_job_killed_by_a_signal_is_on_record(site: ExecutePoint) -> None:
    cluster = site.shell("#!/bin/sh\nkill -9 $$\n")
    assert switch_site.record(site, cluster, "end")["SHEEPFOLD_EXIT"] == "signal 9"


def test_a_forged_ad_changes_no_record(site: ExecutePoint) -> None:
    site.world.write("/home/alice/.job.ad", 'Owner = "root"\nUser = "root@site.test"\nClusterId = 999\n')
    site.world.write("/home/alice/.update.ad", 'RemoteUser = "root@site.test"\n')
    cluster = site.shell("#!/bin/sh\ncat .job.ad\n", "transfer_input_files = .job.ad, .update.ad")
    record = switch_site.record(site, cluster, "start")
    assert record["SHEEPFOLD_USER"] == "alice@site.test"
    # The control: the forged ad is what the job, and a wrapper that believed it, would find.
    assert 'Owner = "root"' in _out(site, cluster)


def test_log_only_runs_as_the_daemons_and_is_on_record(site: ExecutePoint) -> None:
    switch_site.configure(site, ("mode", "log-only"))
    cluster = site.shell(_WHO + "exit 6\n")
    assert _out(site, cluster)[0] == _condor(site)
    start, end = switch_site.record(site, cluster, "start"), switch_site.record(site, cluster, "end")
    assert start["SHEEPFOLD_MODE"] == end["SHEEPFOLD_MODE"] == "log-only"
    assert start["SHEEPFOLD_USER"] == "alice@site.test"
    assert "SHEEPFOLD_ACCOUNT" not in start
    assert end["SHEEPFOLD_EXIT"] == "exit 6"
    assert len(start["SHEEPFOLD_SHA256"]) == 64


def test_off_is_as_without(site: ExecutePoint) -> None:
    switch_site.configure(site, ("mode", "off"))
    cluster = site.shell(_WHO)
    assert _out(site, cluster)[0] == _condor(site)
    assert switch_site.records(site, cluster) == []


def test_settings_that_make_no_sense_run_nothing(site: ExecutePoint) -> None:
    switch_site.configure(site, ("mode", "indentity"))
    _is_refused(site, site.shell("#!/bin/sh\n"), "mode is 'indentity': expected identity or log-only or off", recorded=False)


# The site's rules


def _is_refused(site: ExecutePoint, cluster: str, sentence: str, *, recorded: bool = True) -> None:
    """It has not run, is idle again, says why where its owner looks, and is on record."""
    log = site.world.root / "home/alice/log"
    site.pool.wait(lambda: sentence in log.read_text(), f"{sentence!r} in the log of job {cluster}")

    def reason() -> str:
        job = site.pool.job(site.cm, cluster)
        return str(job.get("VacateReason", "")) if job["JobStatus"] == _IDLE else ""

    site.pool.wait(lambda: sentence in reason(), f"job {cluster} idle again")
    if recorded:
        record = switch_site.record(site, cluster, "refused")
        assert sentence in record["MESSAGE"]
        assert record["PRIORITY"] == "4"
        assert record["SHEEPFOLD_CODE"] == "203"
        assert not switch_site.records(site, cluster, "start")
    site.cm.run(["condor_rm", cluster])
    site.pool.wait(lambda: not switch_site.processes_of(site, *(number for _, number in ACCOUNTS)), "no process of an account")
    assert not (site.world.root / "tmp/ran").exists()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ([("admission_user", "bob"), ("admission_user", "*@other.test")], "its owner is not among those admitted"),
        ([("admission_user", "*"), ("admission_refused_user", "alice@site.test")], "its owner is refused"),
        ([("admission_executables", "local")], "was sent along, not installed here"),
        ([("admission_pattern", "/usr/bin/*"), ("admission_pattern", "/opt/*/bin/*")], "matches no admission_pattern"),
    ],
)
def test_a_job_against_the_rules_is_refused(site: ExecutePoint, settings: list[tuple[str, object]], sentence: str) -> None:
    switch_site.configure(site, *settings)
    _is_refused(site, site.shell("#!/bin/sh\necho >/tmp/ran\n"), sentence)


@pytest.mark.parametrize(
    "settings",
    [
        [("admission_user", "bob"), ("admission_user", "alice")],
        [("admission_user", "*@site.test")],
        [("admission_refused_user", "bob"), ("admission_refused_user", "alice@other.test")],
        [("admission_executables", "local"), ("admission_pattern", "/usr/bin/*")],
    ],
)
def test_a_job_within_the_rules_runs(site: ExecutePoint, settings: list[tuple[str, object]]) -> None:
    switch_site.configure(site, *settings)
    cluster = site.submit("/usr/bin/id", "arguments = -u")
    assert _out(site, cluster) == [str(FIRST_ID)]


@pytest.mark.parametrize(
    ("plugin", "sentence"),
    [
        ("echo not today; exit 1", "admission_plugin refuses it: not today"),
        ("exit 3", "admission_plugin refuses it: exit code 3"),
        ("sleep 60 & sleep 60", "admission_plugin gave no answer within 1 s"),
    ],
)
def test_the_plug_in_refuses_or_hangs(site: ExecutePoint, plugin: str, sentence: str) -> None:
    site.world.write(_PLUGIN, f"#!/bin/sh\n{plugin}\n", mode=0o755)
    switch_site.configure(site, ("admission_plugin", _PLUGIN), ("admission_plugin_timeout", 1))
    _is_refused(site, site.shell("#!/bin/sh\necho >/tmp/ran\n"), sentence)
    assert not site.commands("sleep 60")


def test_a_plug_in_that_is_not_there_refuses(site: ExecutePoint) -> None:
    switch_site.configure(site, ("admission_plugin", "/nonexistent"))
    _is_refused(site, site.shell("#!/bin/sh\n"), "admission_plugin cannot be asked")


def test_the_plug_in_knows_the_job(site: ExecutePoint) -> None:
    site.world.write(_PLUGIN, "#!/bin/sh\nenv >/tmp/asked\n", mode=0o755)
    switch_site.configure(site, ("admission_plugin", _PLUGIN))
    cluster = site.shell("#!/bin/sh\necho ran\n", 'environment = "LD_PRELOAD=./evil.so SHEEPFOLD_OWNER=root"')
    assert _out(site, cluster) == ["ran"]
    told = site.world.read("/tmp/asked").splitlines()
    assert {f"SHEEPFOLD_JOB={cluster}.0", "SHEEPFOLD_OWNER=alice", "SHEEPFOLD_USER=alice@site.test"} <= set(told)
    assert not any(line.startswith("LD_PRELOAD") for line in told)


def test_a_program_that_cannot_be_executed_is_refused(site: ExecutePoint) -> None:
    cluster = site.shell("no interpreter's line\n")
    log = site.world.root / "home/alice/log"
    site.pool.wait(lambda: "job.sh cannot be executed: Exec format error" in log.read_text(), "the reason in the log")
    assert "cannot be executed" in switch_site.record(site, cluster, "refused")["MESSAGE"]
    site.cm.run(["condor_rm", cluster])


# Hooks


def test_hooks_are_told_and_harm_nothing(site: ExecutePoint) -> None:
    hooks = {"tells": "env >/tmp/told", "fails": "echo disk is full; exit 3", "hangs": "sleep 61 & sleep 61"}
    for name, text in hooks.items():
        site.world.write(f"{_HOOK}-{name}", f"#!/bin/sh\n{text}\n", mode=0o755)
    paths = [("completion_hook", f"{_HOOK}-{name}") for name in (*hooks, "missing")]
    switch_site.configure(site, *paths, ("completion_hook_timeout", 1))
    cluster = site.shell("#!/bin/sh\necho result\nexit 4\n")
    job = site.pool.wait_job(site.cm, cluster, _COMPLETED)
    assert job["ExitCode"] == 4
    assert _out(site, cluster) == ["result"]
    note = switch_site.record(site, cluster, "end")["SHEEPFOLD_NOTE"]
    assert f"{_HOOK}-fails ended with 3: disk is full" in note
    assert f"{_HOOK}-hangs was stopped after 1 s" in note
    assert f"{_HOOK}-missing: " in note
    assert "tells" not in note
    told = set(site.world.read("/tmp/told").splitlines())
    assert {
        f"SHEEPFOLD_JOB={cluster}.0",
        "SHEEPFOLD_USER=alice@site.test",
        "SHEEPFOLD_ACCOUNT=pool01",
        "SHEEPFOLD_EXIT=exit 4",
    } <= told
    assert not site.commands("sleep 61")


# Accounts


def test_jobs_wait_for_an_account_and_say_so(site: ExecutePoint) -> None:
    switch_site.configure(site, accounts=1)
    first = site.shell("#!/bin/sh\nuntil [ -e end ]; do sleep 0.1; done\n", "log = first.log", "output = first.out")
    switch_site.record(site, first, "start")
    second = site.submit("/usr/bin/id", "arguments = -u")
    log = site.world.root / "home/alice/log"
    sentence = "No pool account is free and clean: pool01 is in use"
    site.pool.wait(lambda: sentence in log.read_text(), "the reason in the waiting job's log")
    refused = switch_site.record(site, second, "refused")
    assert (refused["MESSAGE"], refused["SHEEPFOLD_CODE"], refused["SHEEPFOLD_EXECUTABLE"]) == (sentence, "202", "/usr/bin/id")
    site.cm.run(["condor_rm", first])
    assert _out(site, second) == [str(FIRST_ID)]


def test_jobs_at_the_same_time_have_accounts_of_their_own(site: ExecutePoint) -> None:
    clusters = [site.shell("#!/bin/sh\nsleep 5\n", f"output = out{number}") for number in range(4)]
    accounts = {switch_site.record(site, cluster, "start")["SHEEPFOLD_ACCOUNT"] for cluster in clusters}
    assert len(accounts) == 4
    for cluster in clusters:
        site.pool.wait_job(site.cm, cluster, _COMPLETED)


# What a job sees


def test_hidden_paths_are_empty(site: ExecutePoint) -> None:
    site.world.write("/opt/secret/inside", "secret\n")
    site.world.write("/opt/file", "secret\n")
    script = "#!/bin/sh\ncat /opt/file /opt/secret/inside\nls -A /opt/secret\necho >/opt/secret/new\necho end\n"
    assert _out(site, site.shell(script)) == ["secret", "secret", "inside", "end"]
    switch_site.configure(site, ("hidden", "/opt/secret"), ("hidden", "/opt/file"), ("hidden", "/opt/missing"))
    assert _out(site, site.shell(script)) == ["end"]


def test_temporary_directories_are_the_jobs_own(site: ExecutePoint) -> None:
    site.world.write("/tmp/hosts", "x")
    script = """#!/bin/sh
ls -A /tmp /var/tmp /dev/shm
for directory in /tmp /var/tmp /dev/shm; do
    head -c 3000000 /dev/zero >$directory/f
    stat -c %s $directory/f
done
"""
    listing = ["/dev/shm:", "", "/tmp:", "", "/var/tmp:"]
    assert _out(site, site.shell(script)) == [*listing, *["3000000"] * 3]
    assert not (site.world.root / "tmp/f").exists()
    switch_site.configure(site, ("tmp_size", 1))
    assert _out(site, site.shell(script)) == [*listing, *["1048576"] * 3]


def test_a_job_has_a_root_of_its_own(site: ExecutePoint) -> None:
    for directory in ("bin", "proc", "dev", "tmp", EXECUTE.lstrip("/")):
        (site.world.root / "srv/root" / directory).mkdir(parents=True)
    site.world.run(["cp", "/bin/busybox", "/srv/root/bin/busybox"])
    site.world.run(["sh", "-c", "for n in sh ls id cat pwd grep; do ln -s busybox /srv/root/bin/$n; done"])
    switch_site.configure(site, ("job_root", "/srv/root"))
    script = """#!/bin/sh
ls /
id -u
echo x >/new || echo read-only
echo y >/tmp/f
cat /tmp/f
echo z >made
[ $PWD = $_CONDOR_SCRATCH_DIR ] && echo here
"""
    found = _out(site, site.shell(script))
    assert found == ["bin", "dev", "proc", "srv", "tmp", str(FIRST_ID), "read-only", "y", "here"]
    assert site.world.read("/home/alice/made") == "z\n"


@pytest.mark.parametrize(("setting", "answer"), [("no", "closed"), ("yes", "open")])
def test_user_namespaces_are_closed_unless_opened(site: ExecutePoint, setting: str, answer: str) -> None:
    switch_site.configure(site, ("user_namespaces", setting))
    assert _out(site, site.shell("#!/bin/sh\nunshare -U true && echo open || echo closed\n")) == [answer]
