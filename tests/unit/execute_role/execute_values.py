"""What the tests of role execute_node have in common: a node of two processors on which everything is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "execute_node"
FIRST = 2100000000
VALUES = {
    "CONDOR_VERSION": "23.9.6",
    "LOCAL_CONFIG_DIR": "/usr/share/condor/config.d,/etc/condor/config.d",
    "EXECUTE": "/var/lib/condor/execute",
    "LOG": "/var/log/condor",
    "LOCK": "/var/lock/condor",
    "RUN": "/var/run/condor",
    "NUM_CPUS": "2",
    "NUM_SLOTS": "0",
    "NUM_SLOTS_TYPE_1": "1",
    "NUM_SLOTS_TYPE_2": "",
    "NUM_SLOTS_TYPE_3": "",
    "DETECTED_CPUS": "64",
    "SEC_TOKEN_SYSTEM_DIRECTORY": "/etc/condor/tokens.d",
    "SEC_PASSWORD_DIRECTORY": "/etc/condor/passwords.d",
    "SEC_PASSWORD_FILE": "/etc/condor/passwords.d/POOL",
    "SEC_TOKEN_POOL_SIGNING_KEY_FILE": "/etc/condor/passwords.d/POOL",
    "STARTD_ADDRESS_FILE": "/var/log/condor/.startd_address",
    "STARTER": "/usr/sbin/condor_starter",
    "USER_JOB_WRAPPER": "",
    "DAEMON_LIST": "MASTER STARTD",
}


def asked(**values: str) -> dict[str, Any]:
    """What condor_config_info answers, with these values in place of the usual ones."""
    return {"parameters": {**VALUES, **values}}


ASKED = asked()
HOST: dict[str, Any] = {
    "accounts": {},
    "apparmor_restricts": False,
    "busybox": "static",
    "cgroup_version": 2,
    "commands": {},
    "cpus": 2,
    "daemon": {"uid": 100, "gid": 101},
    "directories": ["/etc/condor/tokens.d"],
    "execute": {"uid": 100, "mode": "0755", "closed": ""},
    "exposed": [],
    "helpers": {"newuidmap": "/usr/bin/newuidmap", "newgidmap": "/usr/bin/newgidmap", "userv": ""},
    "ids": {},
    "privilege": "mode",
    "service": {"uid": 0, "mark": "", "starters": 1},
    "subordinate": [{"file": "/etc/subuid", "owner": "alice", "first": 100000, "count": 65536}],
    "systemd_version": 257,
    "user_namespaces": 9000,
}


def host(**facts: Any) -> dict[str, Any]:
    """The facts with these in place of the usual ones."""
    return {**HOST, **facts}
