"""All mistakes of all hosts are told at once, by one task, and nothing has changed: real runs of Ansible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from runs import FLOCK, ROOT, inventory, run

PLAY = """
- name: Check, and then change what there is
  hosts: all
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - ansible.builtin.include_role: {name: "sheepfold.htcondor.{{ item }}", tasks_from: preflight, rolespec_validate: false}
      loop: [vlan, gateway, macvlan, image, flock_startd]
      when: item != 'gateway' or inventory_hostname in groups.flock_gateway
    - ansible.builtin.include_role: {name: sheepfold.htcondor.flock, tasks_from: verdict}
    - ansible.builtin.debug: {msg: changed}
      changed_when: true
"""


def test_all_mistakes_of_all_hosts_are_told_at_once(tmp_path: Path) -> None:
    wrong = {"flock_parent": "em7", "vlan_gateway_must_answer": "12", "gateway_state": "removed", "gateway_connections": "64 MB"}
    wrong |= {"macvlan_subid_start": "10", "image_source": "registri", "flock_startd_history_mb": "64 MB"}
    (tmp_path / "play.yml").write_text(PLAY)
    done = run(tmp_path / "play.yml", inventory(tmp_path / "hosts.yml", wrong))
    assert (done.changed, done.returncode != 0) == ([], True), done.output
    [told] = done.failed.values()
    wanted = [
        "vlan_gateway_must_answer is '12': expected true or false",
        "flock.parent (or flock_parent) is em7: expected an interface of this host",
        "submit: gateway_state is 'removed': expected present or absent",
        "submit: gateway_connections is '64 MB': expected a whole number",
        "macvlan_subid_start is 10: expected 65536 to 2147418112",
        "image_source is 'registri': expected build or registry",
        "flock_startd_history_mb is '64 MB': expected a whole number",
    ]
    assert [[line for line in told if line.startswith(start)] for start in wanted] == [
        [line] for line in told if line.startswith(tuple(wanted))
    ], told


def test_the_host_that_builds_the_image_is_looked_at_in_check_mode(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY.replace("[vlan, gateway, macvlan, image, flock_startd]", "[image]"))
    done = run(tmp_path / "play.yml", inventory(tmp_path / "hosts.yml", {"image_build_dir": "/dev/null/none"}))
    [told] = done.failed.values()
    assert done.changed == []
    assert told == [
        "image_build_host is 'localhost': expected a host where the image can be built (The flocking image cannot be built: the"
        " cache /dev/null/none cannot be written, because of /dev/null)"
    ]


def test_a_warning_is_told_once_and_fails_nothing(tmp_path: Path) -> None:
    play = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact: {gateway__warnings: [the air is dry], gateway__problems: []}
    - ansible.builtin.include_role: {name: sheepfold.htcondor.flock, tasks_from: verdict}
"""
    (tmp_path / "play.yml").write_text(play)
    done = run(tmp_path / "play.yml", inventory(tmp_path / "hosts.yml", {}))
    assert (done.returncode, done.failed, done.output.count('"Warning: the air is dry"')) == (0, {}, 1), done.output


def test_a_pattern_that_no_node_matches_is_refused(tmp_path: Path) -> None:
    hosts = inventory(tmp_path / "hosts.yml", {})
    for name in ("flock_on", "flock_off"):
        done = run(ROOT / "playbooks" / f"{name}.yml", hosts, "-e", "flock_nodes_limit=p22O")
        assert done.returncode != 0
        assert all(
            told == ["flock_nodes_limit is 'p22O': expected a pattern of hosts in group flock_nodes (p220, p221)"]
            for told in done.failed.values()
        )
        done = run(ROOT / "playbooks" / f"{name}.yml", hosts, "--limit", "submit")
        assert done.returncode != 0
        [told] = done.failed.values()
        assert told == [
            "flock_nodes_limit is 'not set' and --limit 'submit': expected a pattern of hosts in group flock_nodes (p220, p221)"
        ]


def test_a_description_that_no_plan_can_be_made_of_is_told_by_every_playbook(tmp_path: Path) -> None:
    hosts = inventory(tmp_path / "hosts.yml", {"flock": {**FLOCK, "vlan_id": 4095, "domain": "a b"}})
    for name in ("verify", "teardown"):
        done = run(ROOT / "playbooks" / f"{name}.yml", hosts)
        assert (done.changed, done.returncode != 0) == ([], True), done.output
        assert {tuple(told) for told in done.failed.values()} == {
            (
                "flock.vlan_id is 4095: expected a whole number from 1 to 4094",
                "flock.domain is 'a b': expected a DNS domain such as example.org",
            )
        }


@pytest.mark.parametrize(
    ("name", "wrong", "sentence"),
    [
        ("verify", {"verify_settle": "x"}, "verify_settle is 'x': expected a number"),
        ("shepherd", {"shepherd_deadline": "x"}, "shepherd_deadline is 'x': expected a whole number"),
        ("teardown", {"pool_mirror_seconds": "x"}, "pool_mirror_seconds is 'x': expected a whole number"),
        ("flock_on", {"flock": {**FLOCK, "vlan_id": "x"}}, "flock.vlan_id is 'x': expected a whole number from 1 to 4094"),
        ("flock_on", {"flock_on_wait": "x"}, "flock_on_wait is 'x': expected seconds, a whole number"),
        ("flock_off", {"flock": 12}, "flock is 12: expected a dict with the keys"),
        ("flock_off", {"flock_off_how": "hard"}, "flock_off_how is 'hard': expected peaceful, graceful or fast"),
        ("flock_off", {"flock_off_wait": "x"}, "flock_off_wait is 'x': expected seconds, a whole number"),
    ],
)
def test_a_wrong_type_is_told_once_by_every_playbook(tmp_path: Path, name: str, wrong: dict[str, Any], sentence: str) -> None:
    done = run(ROOT / "playbooks" / f"{name}.yml", inventory(tmp_path / "hosts.yml", wrong))
    assert (done.changed, done.returncode != 0) == ([], True), done.output
    [told] = done.failed.values()
    assert [line for line in told if line.startswith(sentence)], told
    assert not [line for line in told if "Validation of arguments" in line or "\n" in line], told


def test_nothing_is_taken_away_without_consent(tmp_path: Path) -> None:
    hosts = inventory(tmp_path / "hosts.yml", {})
    # Tasks are not reached: the first play refuses, whatever strategy the site has.
    done = run(ROOT / "playbooks" / "teardown.yml", hosts, "-e", "flock_teardown_consent=false", check=False, strategy="free")
    [[told]] = done.failed.values()
    assert told.startswith("flock_teardown_consent is 'false': expected true")
    assert (done.changed, done.returncode != 0) == ([], True)


@pytest.mark.parametrize("strategy", ["free", "host_pinned"])
def test_one_host_is_not_changed_where_another_is_refused(tmp_path: Path, strategy: str) -> None:
    play = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text())[0]
    (tmp_path / "play.yml").write_text(
        PLAY.replace("  hosts: all\n", f"  hosts: all\n  strategy: {json.dumps(play['strategy'])}\n")
    )
    hosts = inventory(tmp_path / "hosts.yml", {"vlan_gateway_must_answer": "{{ 12 if inventory_hostname == 'p221' else true }}"})
    done = run(tmp_path / "play.yml", hosts, strategy=strategy)
    assert (done.changed, len(done.failed)) == ([], 1), done.output


def test_every_play_that_promises_an_order_keeps_one() -> None:
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        for play in yaml.safe_load(path.read_text()):
            # One task by itself has no order.
            assert "linear" in play.get("strategy", "") or len(play["tasks"]) == 1, (path, play["name"])


@pytest.mark.parametrize(
    ("arguments", "goes_on", "left"),
    [
        ((), False, "p221"),
        (("--limit", "!p220", "-e", "ansible_connection=local"), False, "p220"),
        (("-e", "flock_teardown_without_nodes_consent=true"), True, ""),
        (("-e", "ansible_connection=local"), True, ""),
    ],
    ids=["not reached", "left out", "consent", "reached"],
)
def test_the_gateway_of_a_node_that_was_not_taken_off_stays(
    tmp_path: Path, arguments: tuple[str, ...], goes_on: bool, left: str
) -> None:
    plays = yaml.safe_load((ROOT / "playbooks" / "teardown.yml").read_text())
    names = [play["name"] for play in plays]
    nodes, keep = (
        names.index("Take the flock off the compute nodes"),
        names.index("Keep the gateway of a node that still has the flock"),
    )
    assert nodes < keep < names.index("Let the central manager and the access points forget the flock")
    reached = {"ansible.builtin.ping": {}}
    plays[nodes] = {**plays[nodes], "roles": [], "become": False, "tasks": [reached]}
    removal = {
        "hosts": "flock_gateway",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.debug": {"msg": "gone"}, "changed_when": True}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([plays[nodes], plays[keep], removal], sort_keys=False))
    away = "{{ 'ssh' if inventory_hostname == 'p221' else 'local' }}"
    hosts = inventory(tmp_path / "hosts.yml", {"ansible_connection": away, "ansible_host": "127.0.0.1", "ansible_port": 1})
    done = run(tmp_path / "play.yml", hosts, *arguments)
    assert bool(done.changed) is goes_on, done.output
    if not goes_on:
        [told] = [line for line in done.failed["submit"] if "was not taken off" in line]
        assert told.startswith(f"The flock was not taken off {left} (not reached"), told
