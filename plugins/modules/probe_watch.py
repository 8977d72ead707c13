#!/usr/bin/python
# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module probe_watch."""

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_watch
short_description: Watch for the packets of isolation probes on a host
version_added: "1.0.0"
description:
  - Started, it opens packet sockets on every interface of the host, and of the flocking container if the host has one,
    and goes on in the background; stopped, it says what it saw. It ends by itself after O(seconds).
  - Only packets that carry the marks of the given runs are noted. Nothing is changed on the host.
options:
  state:
    description: Whether to start or to stop watching.
    type: str
    choices: [started, stopped]
    required: true
  run:
    description: Number of the first run, 0 to 1295. It names the capture.
    type: int
    required: true
  runs:
    description: How many runs, one after the other, to recognise.
    type: int
    default: 1
  seconds:
    description: When to end without being told to.
    type: int
    default: 300
  place:
    description: What to call the host.
    type: str
    required: true
  container:
    description: What to call the flocking container of this host; empty where it has none.
    type: str
    default: ""
  vlan:
    description: The host's interface on the flocking VLAN; empty where it has none.
    type: str
    default: ""
  subnet:
    description: The flock's network. Its addresses are looked for on all other interfaces.
    type: str
    required: true
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
    description: Watching changes nothing; it is done in check mode too.
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
- name: Watch
  sheepfold.htcondor.probe_watch:
    state: started
    run: 7
    place: p220
    container: f220
    vlan: em1.2512
    subnet: 10.27.2.0/24
"""

RETURN = r"""
look:
  description: The host's interfaces, its interface on the VLAN, and which interfaces forward.
  returned: when started
  type: dict
seen:
  description: What was seen, the neighbour tables, and what commented rules counted meanwhile.
  returned: when stopped
  type: dict
rules:
  description: Hashes of the flock's tables as they run; an empty text for one that is not there.
  returned: when stopped
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.host import (
    background_capture,
    container,
    interfaces,
    nft_state,
    routing_check,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "stopped"], "required": True},
            "run": {"type": "int", "required": True},
            "runs": {"type": "int", "default": 1},
            "seconds": {"type": "int", "default": 300},
            "place": {"type": "str", "required": True},
            "container": {"type": "str", "default": ""},
            "vlan": {"type": "str", "default": ""},
            "subnet": {"type": "str", "required": True},
            "container_name": {"type": "str", "default": container.NAME},
            "docker_host": {"type": "str", "default": container.SOCKET},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    try:
        if wanted["state"] == "stopped":
            module.exit_json(
                changed=False,
                seen=background_capture.stop(wanted["run"]),
                rules={
                    "node": nft_state.digest(nft_state.table(*nft_state.PORT_TABLE)),
                    "gateway": nft_state.digest(nft_state.table(*nft_state.GATEWAY_TABLE)),
                },
            )
        places = {wanted["place"]: ""}
        if wanted["container"]:
            found = container.find(wanted["container_name"], wanted["docker_host"])
            if found is None:
                module.fail_json(msg=f"container {wanted['container_name']} of {wanted['place']} is not running: expected it up")
            else:
                places[wanted["container"]] = found.namespace
        home = frozenset({wanted["vlan"], "lo"})
        runs = [wanted["run"] + index for index in range(wanted["runs"])]
        foreign = {wanted["place"]: (wanted["subnet"], home)}
        background_capture.start(wanted["run"], runs, places, foreign, host=wanted["place"], seconds=wanted["seconds"])
        module.exit_json(
            changed=False,
            look={"interfaces": interfaces.interfaces(), "vlan": wanted["vlan"], "forwarding": routing_check.forwarding()},
        )
    except (OSError, RuntimeError) as error:
        module.fail_json(msg=f"{wanted['place']}: {error}")


if __name__ == "__main__":
    main()
