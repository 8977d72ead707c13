"""The switch with driver ``userv``: real jobs as pool accounts, by a service of uservd's."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import layers
import pytest
import switch_site
import userv_site
from condor_harness import VERSIONS, build_execute_root
from execute_point import ACCOUNTS, EXECUTE, ExecutePoint

COMPLETED, REMOVED, RUNNING = 4, 3, 2
ACCOUNT, UID = ACCOUNTS[0]


@pytest.fixture(scope="module", params=VERSIONS)
def site(request: pytest.FixtureRequest) -> Iterator[ExecutePoint]:
    with ExecutePoint(build_execute_root(request.param)) as made:
        userv_site.install(made)
        yield made


@pytest.fixture(autouse=True)
def _home(site: ExecutePoint) -> None:
    site.world.run(["sh", "-c", "cd /home/alice && rm -rf out err log made closed deep given"])


def _home_file(site: ExecutePoint, name: str) -> Path:
    return Path(site.world.root) / "home/alice" / name


def _run(site: ExecutePoint, script: str, *lines: str) -> dict[str, object]:
    job = dict(site.pool.wait_job(site.cm, site.shell(script, *lines), COMPLETED))
    assert site.world.read(switch_site.AUDIT)
    return job


def _records(site: ExecutePoint) -> list[dict[str, str]]:
    return [json.loads(line) for line in site.world.read(switch_site.AUDIT).splitlines()]


def _processes_of(site: ExecutePoint, uid: int) -> list[int]:
    found = []
    for entry in (Path(site.world.root) / "proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The world's first process collects no dead.
            if entry.stat().st_uid == uid and "State:\tZ" not in (entry / "status").read_text():
                found.append(int(entry.name))
    return found


def _nothing_left(site: ExecutePoint) -> None:
    site.pool.wait(lambda: not _processes_of(site, UID), "no process of the account")
    site.pool.wait(lambda: not list((Path(site.world.root) / EXECUTE.lstrip("/")).glob("dir_*")), "no sandbox")


def test_a_job_is_the_account_and_has_its_own_environment(site: ExecutePoint) -> None:
    script = (
        '#!/bin/sh\nid -u; id -un; id -G; printf "%s|" "$LINES_OF"; env | grep -c USERV\n'
        'grep -E "NoNewPrivs|CapBnd" /proc/self/status; exit 37\n'
    )
    job = _run(site, script, "environment = \"LINES_OF='a b'\"")
    assert job["ExitCode"] == 37
    words = _home_file(site, "out").read_text().split()
    assert words[:3] == [str(UID), ACCOUNT, str(UID)]
    assert words[3:5] == ["a", "b|0"]
    assert words[5:] == ["CapBnd:", "0" * 16, "NoNewPrivs:", "1"] or words[5:] == ["NoNewPrivs:", "1", "CapBnd:", "0" * 16]
    _nothing_left(site)


def test_streams_of_megabytes_come_through(site: ExecutePoint) -> None:
    data = "0123456789abcdef" * 200_000
    site.world.write("/home/alice/in", data)
    script = "#!/bin/sh\ntee copy | md5sum >&2; cat copy; echo more >>/proc/self/fd/2\n"
    job = _run(site, script, "input = in", 'transfer_output_files = ""')
    assert job["ExitCode"] == 0, _home_file(site, "err").read_text()
    assert _home_file(site, "out").read_text() == data
    assert _home_file(site, "err").read_text().split() == [hashlib.md5(data.encode()).hexdigest(), "-", "more"]


@pytest.mark.parametrize("signal", [9, 11])
def test_the_end_by_a_signal_is_told(site: ExecutePoint, signal: int) -> None:
    job = _run(site, f"#!/bin/sh\nkill -{signal} $$\n")
    assert (job["ExitBySignal"], job["ExitSignal"]) == (True, signal)


def test_files_come_back_whatever_their_modes(site: ExecutePoint) -> None:
    script = (
        "#!/bin/sh\nset -e\nchmod 0644 given\necho more >>given\numask 077\necho secret >closed\nmkdir -p deep/er\n"
        "echo x >deep/er/file\nchmod 0 deep/er\nchmod 0 deep\numask 022\necho made >made\n"
    )
    site.world.write("/home/alice/given", "given\n", mode=0o600)
    owner = (site.world.root / "home/alice").stat()
    os.chown(_home_file(site, "given"), owner.st_uid, owner.st_gid)
    job = _run(site, script, "transfer_input_files = given", "transfer_output_files = made, closed, given, deep")
    assert job["ExitCode"] == 0, _home_file(site, "err").read_text()
    assert _home_file(site, "made").read_text() == "made\n"
    assert stat.S_IMODE(_home_file(site, "made").stat().st_mode) == 0o644
    assert _home_file(site, "closed").read_text() == "secret\n"
    assert _home_file(site, "given").read_text() == "given\nmore\n"
    assert _home_file(site, "deep/er/file").read_text() == "x\n"
    _nothing_left(site)


def test_removal_ends_everything_at_once(site: ExecutePoint) -> None:
    cluster = site.shell("#!/bin/sh\ntrap '' TERM HUP\nsetsid sleep 4322 &\nwhile :; do sleep 0.1; done\n")
    site.pool.wait_job(site.cm, cluster, RUNNING)
    site.pool.wait(lambda: bool(site.commands("sleep 4322")), "the job's process in a session of its own")
    site.cm.run(["condor_rm", cluster])
    site.pool.wait(lambda: not site.commands("sleep 4322"), "the end of the job's processes")
    _nothing_left(site)


def test_a_signal_of_the_submitters_reaches_the_job(site: ExecutePoint) -> None:
    script = "#!/bin/sh\ntrap 'echo caught; exit 5' USR1\nwhile :; do sleep 0.1; done\n"
    cluster = site.shell(script, "remove_kill_sig = SIGUSR1", "kill_sig = SIGUSR1")
    site.pool.wait_job(site.cm, cluster, RUNNING)
    site.pool.wait(lambda: len(_processes_of(site, UID)) > 2, "the job's processes")
    site.cm.run(["condor_hold", cluster])
    site.pool.wait(lambda: not _processes_of(site, UID), "the end of the job's processes")
    site.cm.run(["condor_rm", cluster])
    assert any(record.get("SHEEPFOLD_EXIT") == "exit 5" for record in _records(site))


def test_suspension_reaches_what_no_control_group_holds(site: ExecutePoint) -> None:
    cluster = site.shell("#!/bin/sh\nsetsid sleep 4323 &\nwhile :; do sleep 0.1; done\n")
    site.pool.wait_job(site.cm, cluster, RUNNING)
    site.pool.wait(lambda: bool(site.commands("sleep 4323")), "the job's process in a session of its own")
    [pid] = site.commands("sleep 4323")
    site.cm.run(["condor_suspend", cluster])
    site.pool.wait(lambda: layers.state(site, pid) == "T", "a stopped process")
    site.resume(cluster)
    site.pool.wait(lambda: layers.state(site, pid) == "S", "a process that goes on")
    site.cm.run(["condor_rm", cluster])
    _nothing_left(site)


def test_what_an_account_left_is_cleared(site: ExecutePoint) -> None:
    as_account = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "sh", "-c"]
    cluster = site.shell("#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.1; done\n")
    site.pool.wait_job(site.cm, cluster, RUNNING)
    site.pool.wait(lambda: bool(_processes_of(site, UID)), "the job")
    leave = (
        "mkdir -p /tmp/left/deep; touch /tmp/left/deep/file; chmod 0 /tmp/left/deep /tmp/left; ipcmk -M 4096\n"
        "setsid sleep 4324 >/dev/null 2>&1 &"
    )
    site.world.run([*as_account, leave])
    site.world.run(["sh", "-c", f"for each in $(find {EXECUTE} -name job -type d); do touch $each/go; done"])
    site.pool.wait_job(site.cm, cluster, COMPLETED)
    _nothing_left(site)
    assert not (site.world.root / "tmp/left").exists()
    assert str(UID) not in site.world.run(["ipcs", "-m"]).stdout
    assert ACCOUNT not in site.world.run(["ipcs", "-m"]).stdout
    notes = [record["SHEEPFOLD_NOTE"] for record in _records(site) if "SHEEPFOLD_NOTE" in record]
    assert any("/tmp/left" in note and "quarantine" not in note for note in notes), notes


def test_userv_refuses_all_but_the_daemons_user(site: ExecutePoint) -> None:
    command = ["userv", ACCOUNT, "sheepfold-clean"]
    foreign = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "LOGNAME=condor", "USER=condor"]
    assert site.as_condor(command, check=False).rc == 0
    answer = site.world.run([*foreign, *command], check=False)
    assert (answer.rc, "rejected" in answer.stderr) == (255, True)
    for service_user in ("root", "alice", "daemon"):
        answer = site.as_condor(["userv", service_user, "sheepfold-clean"], check=False)
        assert (answer.rc, "rejected" in answer.stderr) == (255, True), service_user


def test_a_forged_name_changes_nothing(site: ExecutePoint) -> None:
    told = site.as_condor(["env", "LOGNAME=root", "USER=root", "userv", ACCOUNT, "sheepfold-clean"], check=False)
    assert told.rc == 0
    forged = site.as_condor(["env", "LOGNAME=root", "userv", "root", "sheepfold-clean"], check=False)
    assert forged.rc == 255


def test_the_service_trusts_nothing_that_it_is_sent(site: ExecutePoint) -> None:
    site.world.write("/home/alice/given", "given\n", mode=0o600)
    send = "printf '\\000\\000\\000\\013\\000\\000\\000\\007/etc/xy' | userv {} sheepfold-return"
    answer = site.as_condor(["sh", "-c", send.format(ACCOUNT)], check=False)
    assert answer.rc == 203
    assert "no job's directory" in answer.stderr
    for path in ("--file 5,fd,read=0", "--file 3=/etc/passwd"):
        assert site.as_condor(["sh", "-c", f"userv {path} {ACCOUNT} sheepfold-clean </dev/null"], check=False).rc == 255


def test_without_uservd_a_job_ends_as_it_would_and_what_it_left_keeps_its_account_apart(site: ExecutePoint) -> None:
    cluster = site.shell("#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.1; done\nexit 3\n")
    site.pool.wait_job(site.cm, cluster, RUNNING)
    site.pool.wait(lambda: bool(_processes_of(site, UID)), "the job")
    account = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
    site.world.run([*account, "touch", "/tmp/left-without"])
    # What it has for each call bears the same name.
    site.world.run(["kill", "-9", str(site.daemon("/usr/sbin/uservd -daemon"))])
    site.world.run(["sh", "-c", f"for each in $(find {EXECUTE} -name job -type d); do touch $each/go; done"])
    assert site.pool.wait_job(site.cm, cluster, COMPLETED)["ExitCode"] == 3
    note = switch_site.record(site, cluster, "end").get("SHEEPFOLD_NOTE", "")
    assert f"{ACCOUNT} is in quarantine" in note
    assert "/tmp/left-without" in switch_site.check(site)["SheepfoldQuarantined"]
    userv_site.start(site)
    assert "/tmp/left-without" in switch_site.check(site)["SheepfoldCleared"]
    assert switch_site.check(site)["SheepfoldQuarantined"] == '""'
    _nothing_left(site)
