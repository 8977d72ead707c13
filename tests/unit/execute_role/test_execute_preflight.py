"""Preflight: one sentence for each thing that cannot work, none where all is well."""

from __future__ import annotations

from typing import Any

import pytest
from execute_values import FIRST, HOST, asked, host
from role_evaluation import Evaluate

ACCOUNT = {"uid": FIRST, "gid": FIRST, "shell": "/usr/sbin/nologin", "comment": "Sheepfold pool account"}

PROBLEMS = "{{ query('sheepfold.htcondor.preflight', 'execute_node', facts=execute_node__facts) }}"


def _range(owner: str, first: int, count: int, file: str = "/etc/subuid") -> dict[str, Any]:
    return {"subordinate": [{"file": file, "owner": owner, "first": first, "count": count}]}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"execute_node_mode": "off"},
        {"execute_host": host(accounts={"pool01": ACCOUNT}, ids={str(FIRST): "pool01"}, **_range("condor", FIRST, 2))},
        # What the packages bring is no problem before they are there.
        {"execute_host": host(busybox="dynamic", helpers={"newuidmap": "", "newgidmap": "", "userv": ""}, privilege="")},
        {"execute_node_driver": "userv", "execute_host": host()},
        {"execute_host": host(**_range("bob", FIRST + 4, 65536))},
        {"execute_node__asked": asked(DAEMON_LIST="MASTER, STARTD SHARED_PORT")},
    ],
)
def test_all_is_well(evaluate: Evaluate, variables: dict[str, Any]) -> None:
    assert evaluate(PROBLEMS, **variables) == []


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"execute_node_state": "gone"}, "execute_node_state is 'gone': expected present or absent"),
        ({"execute_node_mode": "both"}, "execute_node_mode is 'both': expected one of identity, log-only, off"),
        ({"execute_node_driver": "sudo"}, "execute_node_driver is 'sudo': expected newuidmap or userv"),
        ({"execute_node_accounts": {"prefix": "Pool 1"}}, "execute_node_accounts.prefix is 'Pool 1': expected lower case"),
        (
            {"execute_node_accounts": {"count": 1}},
            "execute_node_accounts.count is 1: expected at least one for each of the 2 slots of p220",
        ),
        (
            {"execute_node_accounts": {"first_id": 1000}},
            "execute_node_accounts.first_id is 1000 with 4 accounts: expected ids from 65536",
        ),
        (
            {"execute_node_accounts": {"first_id": 2147483645}},
            "execute_node_accounts.first_id is 2147483645 with 4 accounts: expected",
        ),
        (
            {"execute_host": host(**_range("bob", FIRST - 65535, 65536))},
            f"/etc/subuid of p220 has bob:{FIRST - 65535}:65536, which overlaps the accounts' ids: expected",
        ),
        (
            {"execute_host": host(**_range("bob", FIRST + 3, 1, "/etc/subgid"))},
            f"/etc/subgid of p220 has bob:{FIRST + 3}:1, which overlaps",
        ),
        # Its own user's too: a wider right than to the accounts.
        (
            {"execute_host": host(**_range("condor", FIRST - 1, 5))},
            f"/etc/subuid of p220 has condor:{FIRST - 1}:5, which overlaps",
        ),
        (
            {"execute_host": host(accounts={"pool02": {**ACCOUNT, "uid": 1001, "gid": 1001}})},
            f"Account pool02 of p220 has the id 1001 (group 1001): expected an id from {FIRST} to {FIRST + 3} or no such account",
        ),
        (
            {"execute_host": host(accounts={"pool01": {**ACCOUNT, "gid": 100}})},
            f"Account pool01 of p220 has the id {FIRST} (group 100): expected an id",
        ),
        (
            {"execute_host": host(accounts={"pool01": {**ACCOUNT, "shell": "/bin/bash"}})},
            "Account pool01 of p220 has the shell /bin/bash: expected one that lets nobody in",
        ),
        (
            {"execute_host": host(accounts={"pool01": {**ACCOUNT, "comment": "Pool,,,"}})},
            "Account pool01 of p220 is none of this role's: expected another execute_node_accounts.prefix",
        ),
        (
            {"execute_host": host(ids={str(FIRST + 1): "ada"})},
            f"Id {FIRST + 1} of p220 belongs to ada: expected execute_node_accounts.first_id",
        ),
        (
            {"execute_host": host(user_namespaces=0)},
            "User namespaces are forbidden on p220: expected user.max_user_namespaces above 0",
        ),
        (
            {"execute_host": host(apparmor_restricts=True)},
            "AppArmor of p220 restricts user namespaces: expected kernel.apparmor_restrict",
        ),
        (
            {"execute_host": host(cgroup_version=1)},
            "Control groups of p220 are version 1 or hybrid: expected the unified hierarchy alone",
        ),
        (
            {"execute_host": host(exposed=["/etc/condor/tokens.d/site"])},
            "/etc/condor/tokens.d/site of p220 can be read by others than its owner",
        ),
        ({"execute_host": host(systemd_version=252)}, "systemd of p220 is version 252: expected 254 or newer"),
        (
            {"execute_host": host(busybox="dynamic"), "execute_node_packages": []},
            "execute_node_busybox is '/bin/busybox', which is dynamic on p220: expected a statically linked one",
        ),
        (
            {"execute_host": host(busybox="dynamic"), "execute_node__installed": {"changed": True}},
            "execute_node_busybox is '/bin/busybox', which is dynamic on p220: expected a statically linked one",
        ),
        (
            {"execute_host": host(helpers={**HOST["helpers"], "newgidmap": ""}), "execute_node_packages": []},
            "newgidmap is not installed on p220: expected package uidmap",
        ),
        (
            {"execute_host": host(privilege="")},
            "newuidmap or newgidmap of p220 has lost its privilege: expected it set-user-id",
        ),
        (
            {"execute_node_driver": "userv", "execute_node_packages": []},
            "userv is not installed on p220: expected package userv",
        ),
        (
            {"execute_host": host(daemon={"uid": -1, "gid": -1}, execute={**HOST["execute"], "uid": -1})},
            "There is no user condor on p220",
        ),
        ({"execute_host": host(execute={})}, "EXECUTE of p220 is '/var/lib/condor/execute': expected a directory that is there"),
        (
            {"execute_host": host(execute={"uid": 0, "mode": "0755", "closed": ""})},
            "EXECUTE of p220, /var/lib/condor/execute, belongs to the user 0: expected condor",
        ),
        (
            {"execute_host": host(execute={"uid": 100, "mode": "0755", "closed": "/var/lib/condor"})},
            "EXECUTE of p220 is '/var/lib/condor/execute': expected /var/lib/condor to be passable",
        ),
        ({"execute_node__asked": asked(CONDOR_VERSION="10.0.9")}, "HTCondor of p220 is version 10.0.9: expected 23.9 or newer"),
        (
            {"execute_node__asked": {"msg": "No such file"}},
            "HTCondor of p220 is not installed or its configuration cannot be read (No such file)",
        ),
        (
            {"execute_node__asked": asked(DAEMON_LIST="MASTER STARTD SCHEDD")},
            "DAEMON_LIST of p220 is 'MASTER STARTD SCHEDD': expected nothing but",
        ),
        ({"execute_node__asked": asked(DAEMON_LIST="MASTER")}, "DAEMON_LIST of p220 is 'MASTER': expected STARTD in it"),
        ({"execute_node__asked": asked(USER_JOB_WRAPPER="/x")}, "USER_JOB_WRAPPER of p220 is '/x': expected none"),
        (
            {"execute_node_config_directory": "/etc/other"},
            "execute_node_config_directory is '/etc/other': expected one of LOCAL_CONFIG_DIR",
        ),
        (
            {"execute_node_completion_hook_timeout": 301},
            "execute_node_completion_hook_timeout is 301: expected seconds from 1 to 300",
        ),
        (
            {"execute_node_admission": {"plugin_timeout": 0}},
            "execute_node_admission.plugin_timeout is 0: expected seconds from 1 to 60",
        ),
        (
            {"execute_node_admission": {"executables": "some"}},
            "execute_node_admission.executables is 'some': expected any or local",
        ),
        (
            {"execute_node_admission": {"plugin": "/x"}, "execute_host": host(commands={"/x": "is no file"})},
            "execute_node_admission.plugin has '/x', which is no file on p220: expected a program",
        ),
        (
            {"execute_node_completion_hooks": ["/y"], "execute_host": host(commands={"/y": "cannot be executed by everybody"})},
            "execute_node_completion_hooks has '/y', which cannot be executed by everybody on p220",
        ),
        (
            {"execute_node_payload_callers": ["a\nmode = off"]},
            "execute_node_payload_callers[0] is 'a\\nmode = off': expected one line",
        ),
        ({"execute_node_hidden": ["srv"]}, "execute_node_hidden has 'srv': expected an absolute path below /"),
        ({"execute_node_job_root": "/"}, "execute_node_job_root is '/': expected an absolute path below /"),
    ],
)
def test_one_sentence(evaluate: Evaluate, variables: dict[str, Any], sentence: str) -> None:
    found = evaluate(PROBLEMS, **variables)
    assert len(found) == 1, found
    assert found[0].startswith(sentence)
    assert "\n" not in found[0]


def test_job_hooks_that_would_not_be_called_are_a_warning(evaluate: Evaluate) -> None:
    hooks = {"execute_node__asked": asked(STARTER_DEFAULT_JOB_HOOK_KEYWORD="SITE")}
    warnings = PROBLEMS.replace(") }}", ", warnings=true) }}")
    assert evaluate(PROBLEMS, **hooks) == []
    [sentence] = evaluate(warnings, **hooks)
    assert sentence.startswith("STARTER_DEFAULT_JOB_HOOK_KEYWORD of p220 is 'SITE': these job hooks are not called without root")
    assert evaluate(warnings) == []


def test_what_is_to_go_needs_nothing(evaluate: Evaluate) -> None:
    nothing = {"execute_host": host(cgroup_version=1, busybox="missing"), "execute_node_hidden": ["srv"]}
    assert evaluate(PROBLEMS, execute_node_state="absent", **nothing) == []
