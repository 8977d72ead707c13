"""The regular HTCondor of a node without root: processes, accounting, suspension, records (role execute_node).

What takes a real systemd and its control groups with every controller; the rest is in tests/pool, at a machine's own speed.
`make test-site-full` also runs the same work with root before, to compare, and takes the role off again.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab import daemons, jobs, ssh
from lab.topology import BY_NAME

from .full import FULL, only_full
from .plays import Result, play

NODE = "p220"
INVENTORIES = ("-i", "inventories/lab", "-i", "inventories/lab_execute_nodes")
ON_THE_NODE = f'requirements = regexp("^{NODE}", Machine)'
#: Some seconds of an emulated processor, and 150 MB that are touched, by a child in a session of its own too. It lasts long
#: enough for two looks of HTCondor, which come every 15 seconds and late on a busy node (PID_SNAPSHOT_INTERVAL).
WORK = """#!/bin/sh
exec python3 -c '
import os, time
held = bytearray(150 << 20)
held[::4096] = b"x" * len(held[::4096])
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        end = time.process_time() + 3
        while time.process_time() < end: pass
        os._exit(0)
    os.wait()
time.sleep(40)
used = os.times()
print(os.getuid(), sum(used[:4]))
'
"""
#: What a start of Python costs on this machine: the switch is written in it.
START_OF_PYTHON = """python3 -c '
import resource, subprocess, sys
subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
'
"""
#: HTCondor tells whole seconds, of the user's time and of the system's.
ROUNDING_S = 2


def accounted() -> dict[str, float]:
    """Run the same work as a job; what HTCondor and the job itself say that it used, and whose uid it had."""
    job = jobs.submit("submit", "alice", WORK, f"{ON_THE_NODE}\nrequest_memory = 300MB")
    ad = job.wait(jobs.COMPLETED, jobs.WAIT_S)
    assert ad["ExitCode"] == 0, ad
    cpu = float(ad["RemoteUserCpu"]) + float(ad["RemoteSysCpu"])
    uid, own = (float(word) for word in job.output("out").split())
    return {"cpu_s": cpu, "own_cpu_s": own, "memory_mb": float(ad["ResidentSetSize_RAW"]) / 1024, "uid": uid}


def apply(label: str, *arguments: str) -> Result:
    """Apply the role to the node."""
    result = play("site", *INVENTORIES, "--limit", NODE, "--tags", "execute_node", *arguments, label=label)
    assert result.returncode == 0, result.failed
    return result


@pytest.fixture(scope="module")
def with_root() -> dict[str, float] | None:
    """The work on the node as it was, in a full run."""
    return accounted() if FULL else None


@pytest.fixture(scope="module", autouse=True)
def _without_root(with_root: dict[str, float] | None) -> Any:
    apply("execute-node", "-e", "execute_node_restart_consent=true")
    yield
    if not FULL:
        return
    consent = ("-e", "execute_node_restart_consent=true", "-e", "execute_node_state=absent")
    apply("execute-node-absent", *consent)


def test_no_process_of_htcondor_has_root_or_a_capability() -> None:
    condor = int(jobs.on(NODE, "id -u condor"))
    seen = [each for each in daemons.of(NODE) if not each.contained]
    print(f"\nuid of condor: {condor}\n{daemons.table(seen)}")
    assert {each.name for each in seen} >= {"condor_master", "condor_startd"}
    for each in seen:
        assert set(each.uids) == {condor}, each
        assert {int(value, 16) for value in each.capabilities} == {0}, each


def test_use_of_processor_and_memory_is_told_as_with_root(with_root: dict[str, float] | None) -> None:
    without = accounted()
    start_s = float(jobs.on(NODE, START_OF_PYTHON))
    print(f"\nwith root {with_root}, without {without}; a start of Python takes {start_s:.2f} s")
    assert without["uid"] >= 2_100_000_000
    assert without["memory_mb"] > 150
    for told in (with_root, without):
        assert told is None or told["own_cpu_s"] > 6
        assert told is None or told["cpu_s"] > told["own_cpu_s"] - ROUNDING_S
    # The switch's processes are counted with the job's: some starts of Python, which an emulated node takes its time for.
    beside = without["cpu_s"] - without["own_cpu_s"]
    assert beside < 2 * ROUNDING_S + 8 * start_s
    if with_root is None:
        return
    assert 0 < with_root["uid"] < 65536
    assert beside < with_root["cpu_s"] - with_root["own_cpu_s"] + ROUNDING_S + 8 * start_s
    assert without["memory_mb"] == pytest.approx(with_root["memory_mb"], rel=0.2, abs=15)


def test_the_record_is_in_the_journal() -> None:
    lines = jobs.on(NODE, "journalctl -o json SHEEPFOLD_EVENT=end SHEEPFOLD_KIND=job -n 1")
    record = json.loads(lines.splitlines()[-1])
    assert record["SHEEPFOLD_OWNER"] == "alice"
    assert record["SHEEPFOLD_EXIT"] == "exit 0"
    assert record["SHEEPFOLD_ACCOUNT"].startswith("pool")
    assert float(record["SHEEPFOLD_CPU_USER"]) + float(record["SHEEPFOLD_CPU_SYSTEM"]) > 5
    assert int(record["SHEEPFOLD_MEMORY_KIB"]) > 150 << 10
    assert record["_SYSTEMD_UNIT"] == "condor.service"
    assert record["_UID"] == jobs.on(NODE, "id -u condor").strip()


def test_a_job_is_suspended_with_all_its_processes_and_goes_on() -> None:
    job = jobs.submit("submit", "alice", "#!/bin/sh\nsetsid sleep 4321 &\nsleep 5\nwhile :; do sleep 0.2; done\n", ON_THE_NODE)
    job.wait(jobs.RUNNING, jobs.WAIT_S)
    # The queue says "running" before there is a process; a starter that has none takes no suspension.
    ssh.wait_for(BY_NAME[NODE], "pgrep -f 'sleep 4321'", jobs.WAIT_S, "the job's process")
    suspended = 7
    jobs.on("submit", f"condor_suspend {job.cluster}")
    job.wait(suspended, jobs.WAIT_S)
    frozen = "find /sys/fs/cgroup/system.slice/condor.service -name cgroup.events | xargs grep -l 'frozen 1' | wc -l"
    ssh.wait_for(BY_NAME[NODE], f"test $({frozen}) -ge 1", jobs.WAIT_S, "the freezing of the job")
    jobs.on("submit", f"condor_continue {job.cluster}")
    job.wait(jobs.RUNNING, jobs.WAIT_S)
    ssh.wait_for(BY_NAME[NODE], f"test $({frozen}) -eq 0", jobs.WAIT_S, "the thawing of the job")
    job.remove()
    ssh.wait_for(BY_NAME[NODE], "! pgrep -f 'sleep 4321'", jobs.WAIT_S, "the end of the job's processes")


@only_full
def test_a_reboot_with_a_job_leaves_nothing_behind() -> None:
    job = jobs.submit("submit", "alice", jobs.sleeper(60), ON_THE_NODE)
    job.wait(jobs.RUNNING, jobs.WAIT_S)
    boot = jobs.on(NODE, "cat /proc/sys/kernel/random/boot_id")
    ssh.run(BY_NAME[NODE], "systemctl reboot", 60)
    ssh.wait_for(BY_NAME[NODE], f'test "$(cat /proc/sys/kernel/random/boot_id)" != {boot.strip()}', jobs.WAIT_S, "another boot")
    ad = job.wait(jobs.COMPLETED, jobs.WAIT_S)
    assert ad["ExitCode"] == 0
    assert job.output("out") == "undisturbed\n"
    assert jobs.on(NODE, "ls -A /var/lib/condor/execute").split() == []
    assert jobs.on(NODE, "ls /run/sheepfold/execute_node | grep quarantine || :") == ""


@only_full
def test_a_hundred_short_jobs_leave_a_record_each_and_nothing_else() -> None:
    # "queue" itself comes after these lines.
    job = jobs.submit("submit", "alice", "#!/bin/sh\ntrue\n", f"{ON_THE_NODE}\nqueue 99")
    done = f'test "$(condor_history {job.cluster} -af ExitCode | grep -c "^0$")" = 100'
    ssh.wait_for(BY_NAME["submit"], done, jobs.WAIT_S, "the end of a hundred jobs")
    told = f'journalctl -o json SHEEPFOLD_EVENT=end SHEEPFOLD_KIND=job | grep -c \'"SHEEPFOLD_JOB":"{job.cluster}[.]\''
    assert int(jobs.on(NODE, told)) == 100
    assert jobs.on(NODE, "ls -A /var/lib/condor/execute").split() == []
    assert jobs.on(NODE, "ls /run/sheepfold/execute_node | grep quarantine || :") == ""


@only_full
@pytest.mark.parametrize("daemon", ["condor_starter", "condor_startd"])
def test_nothing_of_a_job_survives_a_killed_daemon(daemon: str) -> None:
    script = "#!/bin/sh\nsetsid sleep 4322 &\nsleep 4322\n"
    job = jobs.submit("submit", "alice", script, ON_THE_NODE)
    ssh.wait_for(BY_NAME[NODE], "test $(pgrep -c -f 'sleep 4322') = 2", jobs.WAIT_S, "the job's processes")
    # Those of the flocking container have ids of its own.
    jobs.on(NODE, f"pkill -KILL -u condor -x {daemon}")
    jobs.on("submit", f"condor_rm {job.cluster}")
    ssh.wait_for(BY_NAME[NODE], "! pgrep -f 'sleep 4322'", jobs.WAIT_S, "the end of the job's processes")
    ssh.wait_for(BY_NAME[NODE], "! ls /run/sheepfold/execute_node | grep quarantine", jobs.WAIT_S, "clean accounts")
    again = jobs.submit("submit", "alice", jobs.WHO_AND_WHERE, ON_THE_NODE)
    again.wait(jobs.COMPLETED, jobs.WAIT_S)
    assert "user=pool" in again.output("out")
