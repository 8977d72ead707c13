#!/usr/bin/python
# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module probe_send."""

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_send
short_description: Send isolation probes from a host or its flocking container
version_added: "1.0.0"
description:
  - On a compute node, sends from the flocking container's network namespace as the job's user, and as root with
    C(CAP_NET_RAW) unless a job is running in it; and tries the container's inside.
  - On the gateway, tries the containers' HTCondor port, and asks the kernel what it would route between the interfaces.
  - On a target outside the flock, tries to reach the containers, and hosts on the gateway's other side.
  - Some hundred packets in all, each sent once.
options:
  run:
    description: Number of this sender's run.
    type: int
    required: true
  place:
    description: Inventory name of this host.
    type: str
    required: true
  gateway:
    description: Inventory name of the gateway.
    type: str
    required: true
  plan:
    description: The flock's plan.
    type: dict
    required: true
  looks:
    description: What M(sheepfold.htcondor.probe_watch) said of each host.
    type: dict
    required: true
  targets:
    description: Hosts outside the flock.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: >-
          V(private) must not be reached, V(internet) must be, and V(resolver) is another DNS server, of which is only told
          whether it is reached.
        type: str
        choices: [private, internet, resolver]
        required: true
      address:
        description: Its address.
        type: str
        required: true
      host:
        description: Its inventory name, where it is watched.
        type: str
      tcp:
        description: Ports to try. With V(internet), ports that answer.
        type: list
        elements: int
      udp:
        description: As O(targets[].tcp), for UDP.
        type: list
        elements: int
  forged:
    description: Also send what uses somebody else's addresses.
    type: bool
    default: false
  as_root:
    description: Also send what only root with C(CAP_NET_RAW) can.
    type: bool
    default: true
  settle:
    description: Seconds to wait for answers.
    type: float
    default: 3
  slot_user:
    description: User of the container to try its inside as.
    type: str
    default: flockslot1
  slot_uids:
    description: First and last user id of the container's slot users.
    type: list
    elements: int
    default: [60001, 60016]
  container_name:
    description: The container's name.
    type: str
    default: flock_startd
  docker_host:
    description: The flock's Docker daemon.
    type: str
    default: unix:///run/flock-docker/docker.sock
attributes:
  check_mode:
    description: Sending changes nothing on the host; it is done in check mode too.
    support: full
  diff_mode:
    description: Nothing changes.
    support: none
  platform:
    description: Where the module runs.
    support: full
    platforms: linux
author:
  - Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: Send
  sheepfold.htcondor.probe_send:
    run: 7
    place: p220
    gateway: submit
    plan: "{{ flock_plan }}"
    looks: "{{ looks }}"
"""

RETURN = r"""
attempts:
  description: What was tried.
  returned: success
  type: list
  elements: dict
sent:
  description: What the senders noticed.
  returned: success
  type: list
  elements: dict
inside:
  description: What was found inside the container, and about routing on the gateway.
  returned: success
  type: list
  elements: dict
skipped_root:
  description: Why root's probes were left out; empty where they were not.
  returned: success
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.host import (
    container,
    routing_check,
    send_probes,
    syscall_probe,
)

TARGET: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "choices": ["private", "internet", "resolver"], "required": True},
    "address": {"type": "str", "required": True},
    "host": {"type": "str"},
    "tcp": {"type": "list", "elements": "int"},
    "udp": {"type": "list", "elements": "int"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "run": {"type": "int", "required": True},
            "place": {"type": "str", "required": True},
            "gateway": {"type": "str", "required": True},
            "plan": {"type": "dict", "required": True},
            "looks": {"type": "dict", "required": True},
            "targets": {"type": "list", "elements": "dict", "default": [], "options": TARGET},
            "forged": {"type": "bool", "default": False},
            "as_root": {"type": "bool", "default": True},
            "settle": {"type": "float", "default": 3.0},
            "slot_user": {"type": "str", "default": "flockslot1"},
            "slot_uids": {"type": "list", "elements": "int", "default": [60001, 60016]},
            "container_name": {"type": "str", "default": container.NAME},
            "docker_host": {"type": "str", "default": container.SOCKET},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    is_node = wanted["place"] in wanted["plan"]["nodes"]
    found = container.find(wanted["container_name"], wanted["docker_host"]) if is_node else None
    if is_node and found is None:
        module.fail_json(msg=f"container {wanted['container_name']} of {wanted['place']} is not running: expected it up")
    try:
        work = send_probes.Work(
            run=wanted["run"],
            place=wanted["place"],
            gateway=wanted["gateway"],
            plan=wanted["plan"],
            looks=wanted["looks"],
            targets=wanted["targets"],
            forged=wanted["forged"],
            as_root=wanted["as_root"],
            slot_uids=range(wanted["slot_uids"][0], wanted["slot_uids"][1] + 1),
        )
        attempts, sent = send_probes.run(work, found, wanted["settle"])
        findings = syscall_probe.look(wanted["container_name"], wanted["docker_host"], wanted["slot_user"]) if found else []
        if wanted["place"] == wanted["gateway"]:
            findings += routing_check.look(wanted["looks"][wanted["gateway"]]["vlan"])
    except (OSError, RuntimeError, ValueError) as error:
        module.fail_json(msg=f"{wanted['place']}: {error}")
    module.exit_json(
        changed=False,
        attempts=[attempt.as_dict(bulk=False) for attempt in attempts],
        sent=sent,
        inside=[finding.as_dict() for finding in findings],
        skipped_root=work.skipped_root,
    )


if __name__ == "__main__":
    main()
