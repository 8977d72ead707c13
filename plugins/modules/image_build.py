#!/usr/bin/python
# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module image_build."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Build the flocking image from Debian packages
version_added: "1.0.0"
description:
  - Installs HTCondor's execution point with mmdebstrap, leaves out what it does not need to run, and writes a Docker archive.
  - Needs no registry and no container runtime. The image is known by its id; the same packages give the same id anywhere.
  - An image is built once per definition and kept in O(cache).
requirements:
  - mmdebstrap, and a Debian keyring for O(suite)
options:
  cache:
    description: Directory that keeps the built images.
    type: path
    required: true
  suite:
    description: Debian release to build from. It must have HTCondor.
    type: str
    default: trixie
  extra_packages:
    description: Debian packages that jobs may expect besides a shell and the usual tools.
    type: list
    elements: str
    default: []
  mirror:
    description: Mirror to build from; empty for mmdebstrap's own choice.
    type: str
    default: ""
  edition:
    description: Any word. Another word builds the image anew, from today's packages.
    type: str
    default: ""
attributes:
  check_mode:
    description:
      - In check mode an image that is not there yet is not built; its id is not known then, and RV(image.id) is empty.
      - It fails where mmdebstrap is missing or O(cache) cannot be written.
    support: full
  diff_mode:
    description: Has one line for a new image.
    support: full
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
author:
  - Sheepfold contributors (@sheepfold)
"""

EXAMPLES = r"""
- name: Build the flocking image on the controller
  sheepfold.htcondor.image_build:
    cache: ~/.cache/sheepfold
    extra_packages: [python3]
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
image:
  description: The image.
  returned: success
  type: dict
  contains:
    id:
      description: Its id, as C(sha256:…).
      type: str
    archive:
      description: Path of the Docker archive, compressed with gzip.
      type: str
    unpacked_mib:
      description: Size of its files, in MiB.
      type: float
    archive_mib:
      description: Size of the archive, in MiB.
      type: float
    packages:
      description: Names of the packages in it.
      type: list
      elements: str
"""

import platform
from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.image.build import (
    ARCHITECTURES,
    BuildError,
    ImageDefinition,
    build,
    cached,
    check,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cache": {"type": "path", "required": True},
            "suite": {"type": "str", "default": "trixie"},
            "extra_packages": {"type": "list", "elements": "str", "default": []},
            "mirror": {"type": "str", "default": ""},
            "edition": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        module.fail_json(msg=f"machine is {machine!r}: expected one of {', '.join(ARCHITECTURES)}")
    definition = ImageDefinition(
        suite=module.params["suite"],
        extra_packages=tuple(sorted(set(module.params["extra_packages"]))),
        mirror=module.params["mirror"],
        edition=module.params["edition"],
        machine=machine,
    )
    cache = Path(module.params["cache"])
    found = cached(definition, cache)
    if found is not None:
        module.exit_json(changed=False, image=asdict(found))
    try:
        if module.check_mode:
            check(cache)
            unknown = {"id": "", "archive": "", "unpacked_mib": 0.0, "archive_mib": 0.0, "packages": []}
            module.exit_json(changed=True, image=unknown)
        image = build(definition, cache)
    except BuildError as error:
        module.fail_json(msg=f"The flocking image cannot be built: {error}", stderr=error.details)
    except OSError as error:
        module.fail_json(msg=f"The flocking image cannot be built: {error}")
    module.exit_json(
        changed=True,
        image=asdict(image),
        diff={"prepared": f"+ {image.archive}: new image {image.id}, {len(image.packages)} packages\n"},
    )


if __name__ == "__main__":
    main()
