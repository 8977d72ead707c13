"""What would keep the probes from being run, or a run from proving anything: one sentence each."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight import verify
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight.seen import Seen

GROUPS = {"all": ["submit", "p220", "storage"], "flock_gateway": ["submit"], "flock_nodes": ["p220"]}
OPTIONS: dict[str, Any] = {"state": "present", "settle": 3, "seconds": 900, "targets": []}


def told(hosts: list[str], **options: Any) -> list[str]:
    facts = {"hosts": hosts, "batch_size": 19, "others": 1}
    return list(verify.problems(Seen("submit", {**OPTIONS, **options}, facts=facts, groups=GROUPS)))


def test_a_run_without_a_node_proves_nothing() -> None:
    assert told(["submit", "p220"]) == []
    assert told(["submit", "storage"]) == [
        "the play's hosts are submit, storage: expected a compute node of group flock_nodes among them, because without one"
        " nothing is proved"
    ]
    assert told(["submit"], state="absent") == []


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ({"address": "10.27.1.300"}, "verify_targets has the address '10.27.1.300': expected an IPv4 address"),
        ({"address": "::1"}, "verify_targets has the address '::1': expected an IPv4 address"),
        ({"host": "storag"}, "verify_targets has the host 'storag': expected a host of the inventory, or none"),
        ({"tcp": [443, 99999]}, "verify_targets has the tcp port 99999: expected 1 to 65535"),
        ({"udp": [0]}, "verify_targets has the udp port 0: expected 1 to 65535"),
    ],
)
def test_a_wrong_target_is_one_sentence(target: dict[str, Any], sentence: str) -> None:
    right = {"kind": "private", "address": "10.27.1.10", "host": "storage"}
    assert told(["submit", "p220"], targets=[right]) == []
    [wrong] = told(["submit", "p220"], targets=[{**right, **target}])
    assert wrong.startswith(sentence)


@pytest.mark.parametrize(("settle", "seconds"), [(-1, 900), (3, 0), (900, 900)])
def test_captures_outlast_the_wait_for_answers(settle: int, seconds: int) -> None:
    [wrong] = told(["submit", "p220"], settle=settle, seconds=seconds)
    assert wrong.startswith(f"verify_settle is {settle} and verify_seconds {seconds}: expected 0 or more")
