"""Module container_host_facts: kernels in their order, and all facts there."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.modules import container_host_facts as facts


def test_kernels_are_ordered_by_their_numbers() -> None:
    names = ["6.12.9-cloud-amd64", "6.12.10-cloud-amd64", "6.1.0-40-cloud-amd64", "6.12.10+bpo-cloud-amd64"]
    assert max(names[:3], key=facts.version_key) == "6.12.10-cloud-amd64"
    assert sorted(names[:3], key=facts.version_key)[0] == "6.1.0-40-cloud-amd64"


@pytest.mark.parametrize(
    ("running", "installed", "newest"),
    [
        ("6.12.9-cloud-amd64", ["6.12.9-cloud-amd64"], "6.12.9-cloud-amd64"),
        ("6.12.9-cloud-amd64", ["6.12.9-cloud-amd64", "6.12.41-cloud-amd64"], "6.12.41-cloud-amd64"),
        ("6.12.9-cloud-amd64", ["6.13.1-amd64"], "6.12.9-cloud-amd64"),
        ("6.12.9-cloud-amd64", [], "6.12.9-cloud-amd64"),
        ("5.14.0-503.el9.x86_64", ["5.14.0-570.el9.x86_64", "0-rescue-1234"], "5.14.0-570.el9.x86_64"),
    ],
)
def test_the_newest_kernel_of_the_running_kind(
    running: str, installed: list[str], newest: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in installed:
        (tmp_path / f"vmlinuz-{name}").touch()
    monkeypatch.setattr(facts, "Path", lambda _path: tmp_path)
    assert facts.newest_kernel(running) == newest


def test_all_facts_are_there_and_nothing_changes(run_module) -> None:  # type: ignore[no-untyped-def]
    answer = run_module(facts.main)
    assert answer["changed"] is False
    assert set(answer["ansible_facts"]["container_host"]) == {
        "cgroup_controllers",
        "cgroup_version",
        "cpus",
        "docker",
        "dockerd",
        "free_mb",
        "ids_of_directories",
        "ids_taken",
        "kernel_installed",
        "kernel_running",
        "kernel_upgrade",
        "memory_mb",
        "systemd_version",
        "user_namespaces",
    }
