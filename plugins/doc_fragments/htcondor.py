# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that talk to HTCondor have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the way to HTCondor."""

    DOCUMENTATION = r"""
options:
  collector:
    description:
      - Address of the pool's collector. With several, separated by commas, one of them is asked, one that answers and is settled.
      - By default C(COLLECTOR_HOST) of HTCondor's configuration on the host that the module runs on.
    type: str
    default: ""
  flock_collector:
    description:
      - Address of the collector that flocking startds report to, if it is another one. Their ads are first-hand there.
      - By default the value of C(FLOCK_COLLECTOR_HOST) in HTCondor's configuration, if it is defined.
      - An empty string means that there is none.
    type: str
  command_tokens:
    description:
      - Directory of the tokens for commands to flocking startds. Each is signed by the signing key of one container.
      - A directory that does not exist is no error. Commands then go out with the host's own tokens.
    type: path
    default: /etc/sheepfold/pool/commands.d
  transport:
    description:
      - The way to HTCondor. V(tools) are its command-line tools, which know the remote administration that a collector grants.
      - V(bindings) are its Python bindings (C(htcondor2)), which need C(ALLOW_ADMINISTRATOR) on each host. What they cannot do
        goes through the tools.
    type: str
    choices: [tools, bindings]
    default: tools
  timeout:
    description: Seconds that one exchange with a daemon may take before it is given up and its process killed.
    type: float
    default: 30
  stale_after:
    description: Seconds after which an ad says nothing any more.
    type: int
    default: 900
  settle:
    description:
      - Seconds that a collector has to listen before a startd that it has not heard of counts as off.
      - Until then such a startd is unknown. It counts as closed only when its master's ad says that it does not run.
    type: int
    default: 400
requirements:
  - HTCondor 23.9 or newer on the host that the module runs on, which must be allowed to administer the pool
    (normally the central manager, as root)
"""

    # Of modules that only look.
    INFO_MODULE = r"""
attributes:
  check_mode:
    description: Changes nothing anyway.
    support: full
  diff_mode:
    description: Changes nothing anyway.
    support: none
  idempotent:
    description: Changes nothing anyway.
    support: full
"""
