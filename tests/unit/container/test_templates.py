"""What the roles write: the container's arguments, its seccomp profile, the engine's settings, the units."""

from __future__ import annotations

import configparser
import json
from pathlib import Path
from typing import Any

import pytest

ROLES = Path(__file__).resolve().parents[3] / "roles"

NEVER = (
    "add_key",
    "bpf",
    "chroot",
    "clone3",
    "delete_module",
    "finit_module",
    "fsopen",
    "init_module",
    "io_uring_enter",
    "io_uring_setup",
    "kexec_load",
    "keyctl",
    "mount",
    "move_mount",
    "name_to_handle_at",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "process_vm_readv",
    "ptrace",
    "quotactl",
    "request_key",
    "setns",
    "swapon",
    "umount2",
    "unshare",
    "userfaultfd",
    "vmsplice",
)


def _allowed(profile: dict[str, Any], name: str, *arguments: int) -> bool:
    """What the kernel would do with a call: any rule that allows it."""
    for rule in profile["syscalls"]:
        if rule["action"] != "SCMP_ACT_ALLOW" or name not in rule["names"]:
            continue
        matches = True
        for condition in rule.get("args", []):
            value = arguments[condition["index"]]
            if condition["op"] == "SCMP_CMP_EQ":
                matches &= value == condition["value"]
            elif condition["op"] == "SCMP_CMP_MASKED_EQ":
                matches &= value & condition["value"] == condition["valueTwo"]
            else:
                raise AssertionError(f"an operator that this test does not know: {condition['op']}")
        if matches:
            return True
    return False


@pytest.fixture
def profile(render) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    return dict(json.loads(render("flock_startd", "seccomp.json.j2")))


def test_what_is_not_allowed_is_refused(profile: dict[str, Any]) -> None:
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert all(entry["subArchitectures"] == [] for entry in profile["archMap"]), "no 32-bit or x32 calls"
    assert not [name for name in NEVER if _allowed(profile, name, 0, 0, 0)]


@pytest.mark.parametrize(
    ("family", "protocol", "allowed"),
    [
        (1, 0, True),  # AF_UNIX
        (2, 6, True),  # TCP
        (2, 17, True),
        (10, 0, True),
        (16, 0, True),  # NETLINK_ROUTE
        (16, 12, False),  # NETLINK_NETFILTER
        (16, 21, False),  # NETLINK_CRYPTO
        (2, 132, False),  # SCTP
        (2, 255, False),  # raw
        (2, 1, False),  # ICMP
        (17, 0, False),  # AF_PACKET
        (38, 0, False),  # AF_ALG
        (40, 0, False),  # AF_VSOCK
        (44, 0, False),  # AF_XDP
        (30, 0, False),  # AF_TIPC
    ],
)
def test_sockets(profile: dict[str, Any], family: int, protocol: int, allowed: bool) -> None:
    assert _allowed(profile, "socket", family, 1, protocol) is allowed


def test_threads_but_no_namespaces(profile: dict[str, Any]) -> None:
    assert _allowed(profile, "clone", 0x3D0F00)  # pthread_create
    for flag in (0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x04000000, 0x08000000, 0x02000000):
        assert not _allowed(profile, "clone", flag | 17)


def test_callers_of_clone3_fall_back(profile: dict[str, Any]) -> None:
    assert [rule["errnoRet"] for rule in profile["syscalls"] if "clone3" in rule["names"]] == [38]


def test_a_site_may_allow_more(render) -> None:  # type: ignore[no-untyped-def]
    more = json.loads(render("flock_startd", "seccomp.json.j2", flock_startd_extra_syscalls=["ptrace"]))
    assert _allowed(more, "ptrace")


def test_the_containers_arguments(render) -> None:  # type: ignore[no-untyped-def]
    arguments = render("flock_startd", "container.args.j2").splitlines()
    assert all(argument.startswith("--") for argument in arguments), "one argument a line, nothing else"
    for expected in (
        "--rm",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--hostname=f220.sips",
        "--network=macvlan2512",
        "--ip=10.27.2.220",
        "--mac-address=02:42:0a:1b:02:dc",
        "--dns=203.0.113.53",
        "--dns=203.0.113.54",
        "--dns-search=.",
        "--cpus=2",
        "--memory=1024m",
        "--memory-swap=1024m",
        "--pids-limit=300",
        "--ulimit=core=0:0",
        # Without it the engine hands on a thousand million; HTCondor makes tables of that size.
        "--ulimit=nofile=16384:16384",
        "--sysctl=net.ipv6.conf.all.disable_ipv6=1",
        "--tmpfs=/dev/shm:rw,nosuid,nodev,exec,mode=1777,size=128m",
    ):
        assert expected in arguments
    assert sorted(argument for argument in arguments if argument.startswith("--cap-add=")) == [
        f"--cap-add={name}" for name in ("CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID")
    ]
    mounts = [argument for argument in arguments if argument.startswith("--mount=")]
    writable = [mount for mount in mounts if not mount.endswith(",readonly")]
    assert all("source=/var/lib/sheepfold/flock_startd/" in mount for mount in writable) and len(writable) == 2
    assert not [argument for argument in arguments if argument.startswith("--runtime=")]


def test_another_runtime_is_passed_on(render) -> None:  # type: ignore[no-untyped-def]
    plan = {"dns_servers": ["192.0.2.1"], "network": "n", "container": {"cpus": 1, "memory_mb": 1, "shm_mb": 1, "pids": 1}}
    plan["container"]["runtime"] = "runsc"  # type: ignore[index]
    assert "--runtime=runsc" in render("flock_startd", "container.args.j2", flock_plan=plan).splitlines()


def test_the_engine_makes_no_router_of_the_node(render) -> None:  # type: ignore[no-untyped-def]
    settings = json.loads(render("macvlan", "daemon.json.j2"))
    assert settings["bridge"] == "flock0", "dockerd without a bridge deletes the site's docker0"
    assert [settings[name] for name in ("ip-forward", "iptables", "ip6tables", "ipv6", "live-restore")] == [False] * 5
    assert settings["userns-remap"] == "flockremap"
    assert settings["group"] == "root", "the site's group docker must not command it"
    for name in ("data-root", "exec-root", "pidfile"):
        assert "flock-docker" in settings[name]
    assert "runtimes" not in settings
    more = json.loads(render("macvlan", "daemon.json.j2", macvlan_runtimes={"runsc": {"path": "/usr/local/bin/runsc"}}))
    assert more["runtimes"] == {"runsc": {"path": "/usr/local/bin/runsc"}}


def _unit(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


def test_nothing_runs_without_what_it_stands_on(render) -> None:  # type: ignore[no-untyped-def]
    engine = _unit(render("macvlan", "flock-docker.service.j2"))
    startd = _unit(render("flock_startd", "flock-startd.service.j2"))
    assert engine["Unit"]["BindsTo"] == "flock-port.service"
    assert startd["Unit"]["BindsTo"].split() == ["flock-docker.service", "flock-port.service"]
    for unit in (engine, startd):
        assert set(unit["Unit"]["BindsTo"].split()) <= set(unit["Unit"]["After"].split())
        assert unit["Service"]["Restart"] == "always"
        # A mount namespace of the unit's own would hide mounts from the container; StateDirectory= takes files of the
        # remapped users back to root.
        assert not [key for key in unit["Service"] if key.startswith(("Protect", "Private", "ReadWritePaths", "StateDirectory"))]


def test_the_way_back_is_known_to_htcondor_as_this_hosts_root(render) -> None:  # type: ignore[no-untyped-def]
    unit = _unit(render("flock_startd", "flock-return.service.j2", flock_node={"regular": "p220", "flock": "f220"}))["Service"]
    assert unit["ExecStart"].endswith("flock-return tend")
    assert "PrivateTmp" not in unit, "HTCondor's file-system authentication is by a directory in /tmp"
    writable = unit.get("ReadWritePaths", "/tmp").split()
    assert "/tmp" in writable or unit["ProtectSystem"] != "strict"


def test_the_delay_between_starts_grows_where_systemd_can(render) -> None:  # type: ignore[no-untyped-def]
    new = _unit(render("flock_startd", "flock-startd.service.j2"))["Service"]
    facts = {"container_host": {"systemd_version": 252}}
    old = _unit(render("flock_startd", "flock-startd.service.j2", ansible_facts=facts))["Service"]
    assert new["RestartMaxDelaySec"] == "300" and "RestartMaxDelaySec" not in old
