"""All mistakes of all hosts are told at once, by one task, and nothing has changed: real runs of Ansible."""

from __future__ import annotations

from pathlib import Path

from runs import inventory, run

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
