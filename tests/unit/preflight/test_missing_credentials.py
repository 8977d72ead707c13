"""What role flock_startd says where the central manager has no credentials for a node: a real run of Ansible."""

from __future__ import annotations

from pathlib import Path

from runs import ROOT, inventory, run

PLAY = f"""
- name: Fetch the credentials of a container
  hosts: p221
  gather_facts: false
  tasks:
    - ansible.builtin.include_tasks: {ROOT}/roles/flock_startd/tasks/credentials.yml
"""


def test_missing_credentials_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    # The token of a container that no site has: nothing is there to be read, and nothing to be written.
    plan = {"flock_node": {"flock": "f0"}, "flock_plan": {"central_manager": {"host": "submit"}}}
    done = run(tmp_path / "play.yml", inventory(tmp_path / "hosts.yml", plan), check=False)
    assert done.changed == []
    assert done.failed == {
        "p221": [
            "The credentials of f0 cannot be read on submit (cat: /etc/sheepfold/pool/f0/token: No such file or directory):"
            " expected those that role pool issues there; run it for that host first"
        ]
    }
