"""The rig of the execute point without privileges: what the tests of the switch take for granted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from condor_harness import Root
from condor_harness.cgroups import hierarchy
from execute_point import ACCOUNTS, FIRST_ID, ExecutePoint

# A first stage that switches nothing: it leaves a mark and becomes the job.
_PLAIN_WRAPPER = '#!/bin/busybox sh\necho "wrapped $$" >wrapped\nexec "$@"\n'


@pytest.fixture(scope="module")
def site(execute_root: Root) -> Iterator[ExecutePoint]:
    with ExecutePoint(execute_root) as made:
        made.install_switch([("mode", "off")], _PLAIN_WRAPPER)
        yield made


def test_no_daemon_has_a_privilege(site: ExecutePoint) -> None:
    table = site.process_table()
    assert {"condor_master", "condor_startd"} <= {process["Name"] for process in table}
    uid = site.world.run(["id", "-u", "condor"]).stdout.strip()
    for process in table:
        assert set(process["Uid"].split()) == {uid}, process
        assert not process["Groups"].strip(), process
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(process[capabilities], 16) == 0, process
        # newuidmap is setuid: it needs the bounding set, and to be allowed new privileges.
        assert int(process["CapBnd"], 16) != 0
        assert process["NoNewPrivs"] == "0"


def test_a_job_runs_wrapped_in_a_control_group_of_its_own(site: ExecutePoint) -> None:
    cluster = site.shell("#!/bin/sh\ncat wrapped\ngrep ^0:: /proc/self/cgroup\nid -un\n")
    job = site.pool.wait_job(site.cm, cluster, 4)
    wrapped, group, user = site.world.read("/home/alice/out").splitlines()
    assert job["ExitCode"] == 0
    assert wrapped.startswith("wrapped ")
    assert group.startswith("0::/htcondor/")
    assert "slot1_1@p220.site.test" in group
    assert user == "condor"


def test_a_job_is_frozen_resumed_and_removed_with_every_process(site: ExecutePoint) -> None:
    cluster = site.shell("#!/bin/sh\ntrap '' TERM\nsetsid sleep 4321 &\nwhile :; do sleep 0.1; done\n")
    site.pool.wait_job(site.cm, cluster, 2)

    def strays() -> bool:
        return bool(site.commands("sleep 4321"))

    site.pool.wait(strays, "the job's process in a session of its own")
    site.cm.run(["condor_suspend", cluster])
    site.pool.wait(site.frozen, "a frozen control group")
    site.resume(cluster)
    site.pool.wait(lambda: not site.frozen(), "a control group that runs again")
    site.cm.run(["condor_rm", cluster])
    site.pool.wait(lambda: not strays(), "the end of the job's processes")


def test_condor_becomes_a_pool_account_in_a_user_namespace(site: ExecutePoint) -> None:
    account = FIRST_ID + 1
    answer = site.as_condor(
        [
            "unshare",
            "--user",
            f"--map-users=0:{account}:1",
            f"--map-groups=0:{account}:1",
            "--setuid",
            "0",
            "sh",
            "-c",
            "touch /tmp/mine && stat -c %u /tmp/mine",
        ]
    )
    assert answer.stdout.strip() == "0"
    assert (site.world.root / "tmp/mine").stat().st_uid == account
    assert (ACCOUNTS[1][1]) == account


def test_ids_that_are_not_delegated_are_refused(site: ExecutePoint) -> None:
    for foreign in (0, FIRST_ID - 1, FIRST_ID + len(ACCOUNTS)):
        answer = site.as_condor(["unshare", "--user", f"--map-users=0:{foreign}:1", "true"], check=False)
        assert answer.rc != 0, f"condor may map {foreign}"


def test_condor_gives_an_account_access_to_its_files_by_an_acl(site: ExecutePoint) -> None:
    account = ACCOUNTS[0][1]
    site.as_condor(["install", "-m", "0600", "/dev/null", "/tmp/shared"])
    read = ["unshare", "--user", f"--map-users={account}:{account}:1", "--setuid", str(account), "cat", "/tmp/shared"]
    assert site.as_condor(read, check=False).rc != 0
    site.as_condor(["setfacl", "-m", f"u:{account}:r", "/tmp/shared"])
    assert site.as_condor(read).rc == 0


def test_a_proc_of_its_own_can_be_mounted(site: ExecutePoint) -> None:
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--mount",
        "--mount-proc",
        "sh",
        "-c",
        "echo /proc/[0-9]*",
    ]
    assert site.as_condor(command).stdout.split() == ["/proc/1"]


def test_the_standard_library_is_compiled(site: ExecutePoint) -> None:
    question = "import importlib.util as u, os, json; print(os.path.exists(u.cache_from_source(json.__file__)))"
    assert site.world.run(["python3", "-I", "-c", question]).stdout.strip() == "True"


def test_nothing_is_left_behind(execute_root: Root) -> None:
    site = ExecutePoint(execute_root)
    assert site.world.cgroups is not None
    tree = site.world.cgroups.path
    assert tree.is_dir()
    site.close()
    assert not tree.exists()
    assert not site.world.base.exists()
    assert hierarchy() in tree.parents
