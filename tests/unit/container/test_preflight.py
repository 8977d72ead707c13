"""What roles macvlan, image, flock_startd and verify ask of a node and of their options."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight import flock_startd, image, macvlan, verify
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight.seen import Seen
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.role_options import specification

DIGEST = "registry.example/flock@sha256:" + 64 * "0"
HOST = {"user_namespaces": 1000, "dockerd": "", "docker": "", "ids_taken": [], "ids_of_directories": []}
NETWORK = {"kernel": "6.12.1", "nft": {"installed": True, "error": ""}, "modules": dict.fromkeys(macvlan.MODULES, True)}
LINK = {"mtu": 1500, "master": "", "alias": "", "ports": [], "addresses": []}
NETWORK["interfaces"] = {"em1": {**LINK, "ports": None}}
NODE = {
    "cgroup_version": 2,
    "cgroup_controllers": ["cpuset", "cpu", "memory", "pids"],
    "cpus": 2,
    "memory_mb": 3911,
    "kernel_pending": "",
    "kernel_report": "Kernel of p220 is 6.12.1, no update pending",
}
CONTAINER = {"runtime": "", "shm_mb": 64, "memory_mb": 512, "cpus": 2}
PLAY = {"hosts": ["submit", "p220"], "batch_size": 19, "others": 1}
CHECKS = {
    "macvlan": (macvlan.problems, {"host": HOST, "network": NETWORK}),
    "image": (image.problems, {}),
    "flock_startd": (flock_startd.problems, NODE),
    "verify": (verify.problems, PLAY),
}


def said(role: str, facts: dict[str, Any] | None = None, container: dict[str, Any] | None = None, **options: Any) -> list[str]:
    check, usual = CHECKS[role]
    defaults = {name[len(role) + 1 :]: spec["default"] for name, spec in specification(role).items() if "default" in spec}
    plan = {"container": {**CONTAINER, **(container or {})}}
    groups = {"flock_gateway": ["submit"], "flock_nodes": ["p220"]}
    return list(check(Seen("p220", {**defaults, **options}, plan, {**usual, **(facts or {})}, groups)))


def host(**offers: Any) -> dict[str, Any]:
    return {"host": {**HOST, **offers}}


def network(**offers: Any) -> dict[str, Any]:
    return {"network": {**NETWORK, **offers}}


def test_ids_that_a_directory_may_give_are_a_warning() -> None:
    defaults = {name[len("macvlan_") :]: spec["default"] for name, spec in specification("macvlan").items()}
    facts = {"host": {**HOST, "ids_of_directories": ["example.org (200000 to 2000199999)"]}, "network": NETWORK}
    [sentence] = macvlan.warnings(Seen("p220", defaults, facts=facts))
    assert sentence.startswith(
        "macvlan_subid_start is 1879048192: SSSD of p220 may give an id of these to an account of the domain"
    )
    assert list(macvlan.warnings(Seen("p220", {**defaults, "state": "absent"}, facts=facts))) == []


def bridge(name: str, **link: Any) -> dict[str, Any]:
    return {"bridge": name, "facts": network(interfaces={name: {**LINK, **link}})}


@pytest.mark.parametrize("role", CHECKS)
def test_all_is_well(role: str) -> None:
    assert said(role) == []


@pytest.mark.parametrize(
    ("role", "state"),
    [
        ("macvlan", {"facts": host(dockerd="/usr/sbin/dockerd", docker="/usr/bin/docker")}),
        ("macvlan", {"facts": host(docker="/usr/bin/docker")}),
        ("macvlan", {"container": {"runtime": "runsc"}, "runtimes": {"runsc": {"path": "/usr/bin/runsc"}}}),
        ("macvlan", bridge("flock7", alias=macvlan.BRIDGE_ALIAS, addresses=["192.0.2.5/30"])),
        # An earlier version's.
        ("macvlan", bridge("flock0", addresses=["192.0.2.1/30"])),
        ("macvlan", {"facts": {**host(user_namespaces=0), **network(kernel="4.18")}, "state": "absent"}),
        ("image", {"source": "registry", "reference": DIGEST, "facts": {"looked": {"skipped": True, "changed": False}}}),
        ("image", {"facts": {"looked": {"image": {"id": ""}, "changed": False}}}),
        ("flock_startd", {"extra_arguments": ["--device=/dev/kvm", "--ulimit=core=0"], "extra_syscalls": ["io_uring_setup"]}),
        ("flock_startd", {"facts": {"kernel_pending": "6.12.2"}}),
    ],
)
def test_this_will_do(role: str, state: dict[str, Any]) -> None:
    assert said(role, **state) == []


@pytest.mark.parametrize(
    ("role", "state", "sentence"),
    [
        (
            "macvlan",
            {"facts": host(dockerd="/usr/sbin/dockerd")},
            "p220 has /usr/sbin/dockerd and no docker: expected Docker's client beside it (Debian 13: package docker-cli)",
        ),
        (
            "macvlan",
            {"facts": host(ids_taken=["account ada (1879048200)", "bob:1879048192:65536 in /etc/subuid"])},
            "macvlan_subid_start is 1879048192: expected the first of 65536 ids that are nobody's on p220, and there is account",
        ),
        ("macvlan", {"facts": host(user_namespaces=0)}, "sysctl user.max_user_namespaces of p220 is 0: expected more than 0"),
        (
            "macvlan",
            bridge("br0"),
            "macvlan_bridge is 'br0', which this host already has: expected the name of a bridge that the",
        ),
        ("macvlan", bridge("br0", ports=["em1"]), "macvlan_bridge is 'br0', which this host already has"),
        ("macvlan", bridge("flock0", addresses=["10.27.1.1/24"]), "macvlan_bridge is 'flock0', which this host already has"),
        ("macvlan", bridge("flock0", ports=["em1"]), "macvlan_bridge is 'flock0', which this host already has"),
        ("macvlan", bridge("em1", ports=None, alias=macvlan.BRIDGE_ALIAS), "macvlan_bridge is 'em1', which this host already"),
        ("macvlan", {"bridge": "flock/0"}, "macvlan_bridge is 'flock/0': expected the name of a network interface"),
        ("macvlan", {"bridge_address": "192.0.2.1"}, "macvlan_bridge_address is '192.0.2.1': expected an IPv4 address with"),
        ("macvlan", {"subid_start": 1000}, "macvlan_subid_start is 1000: expected 65536 to 2147418112"),
        (
            "macvlan",
            {"container": {"runtime": "runsc"}},
            "flock.container.runtime is 'runsc': expected a key of macvlan_runtimes",
        ),
        ("macvlan", {"facts": network(kernel="5.15.0")}, "the kernel is 5.15.0: expected 5.16 or later, whose nftables can"),
        ("macvlan", {"facts": network(nft={"installed": False, "error": ""})}, "nft is missing: expected the package nftables"),
        (
            "macvlan",
            {"facts": network(nft={"installed": True, "error": "Error: egress"})},
            "nftables refuses a chain at the egress hook: expected it to be taken (Error: egress)",
        ),
        (
            "macvlan",
            {"facts": network(modules={**NETWORK["modules"], "act_gact": False})},
            "the kernel has no module act_gact: expected it for the filter at the node's port",
        ),
        ("image", {"source": "registry"}, "image_reference is '': expected name@sha256:digest"),
        (
            "image",
            {"facts": {"looked": {"msg": "The flocking image cannot be built:\nmmdebstrap is not installed", "rc": 1}}},
            "image_build_host is 'localhost': expected a host where the image can be built (The flocking image cannot be",
        ),
        ("image", {"source": "registry", "reference": f"{DIGEST}\n"}, "image_reference is '"),
        ("image", {"reference": DIGEST}, f"image_reference is '{DIGEST}': expected nothing, because image_source is build"),
        ("flock_startd", {"facts": {"cgroup_version": 1}}, "The control groups of p220 are version 1: expected version 2"),
        (
            "flock_startd",
            {"facts": {"cgroup_controllers": ["cpu", "pids"]}},
            "The cgroup controllers of p220 are 'cpu pids'",
        ),
        ("flock_startd", {"container": {"cpus": 64}}, "flock.container.cpus is 64: expected at most 2, the processors of p220"),
        (
            "flock_startd",
            {"container": {"memory_mb": 1048576}},
            "flock.container.memory_mb is 1048576: expected less than 3911, the memory of p220 (flock_container gives a host or",
        ),
        ("flock_startd", {"tmp_mb": 208}, "flock.container.memory_mb is 512: expected more than shm_mb, twice flock_startd_tmp"),
        ("flock_startd", {"history_mb": 0}, "flock_startd_history_mb is 0: expected 1 or more"),
        ("flock_startd", {"oom_score_adj": 1001}, "flock_startd_oom_score_adj is 1001: expected -1000 to 1000"),
        ("flock_startd", {"cgroup_parent": "flock.slice\n"}, "flock_startd_cgroup_parent is 'flock.slice\n': expected a slice"),
        ("flock_startd", {"extra_syscalls": ["bpf;"]}, "flock_startd_extra_syscalls is ['bpf;']: expected names of system calls"),
        *(
            ("flock_startd", {"extra_arguments": [argument]}, "flock_startd_extra_arguments is ['")
            for argument in ("--privileged", "--net=host", "--cap-add ALL", "-v", "--env=a\n--privileged", "image")
        ),
        (
            "flock_startd",
            {"facts": {"kernel_pending": "6.12.2"}, "kernel_policy": "refuse"},
            "Kernel of p220 is 6.12.1, no update pending: expected none, because flock_startd_kernel_policy is refuse",
        ),
        ("verify", {"facts": {"hosts": ["p220"]}}, "the play's hosts are p220: expected the gateway submit among them"),
        ("verify", {"facts": {"batch_size": 0, "others": 21}}, "the play has the gateway and 20 targets: expected at most 18"),
    ],
)
def test_one_sentence(role: str, state: dict[str, Any], sentence: str) -> None:
    [found] = said(role, **state)
    assert found.startswith(sentence)
