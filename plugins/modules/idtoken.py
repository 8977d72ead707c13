#!/usr/bin/python

# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep signing keys and the IDTOKENS signed by them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: idtoken
short_description: Keep HTCondor signing keys and the IDTOKENS signed by them
description:
  - Makes the signing keys and tokens that are missing below one directory, renews tokens that say something else than
    asked for or were signed by another key, and removes whatever else is in the subdirectories there.
  - No secret is ever part of the result.
author: Sheepfold contributors (@sheepfold)
version_added: 0.1.0
options:
  directory:
    description: Everything is below this directory, which only root may enter.
    type: path
    required: true
  trust_domain:
    description: Trust domain of the tokens.
    type: str
    required: true
  keys:
    description:
      - Signing keys, as paths below O(directory). The file's name is the key's id.
      - POOL is no key for this module, HTCondor treats that one differently.
    type: list
    elements: str
    default: []
  tokens:
    description: Tokens.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The token's file, below O(directory).
        type: str
        required: true
      key:
        description: The signing key, one of O(keys).
        type: str
        required: true
      identity:
        description: Whom the token makes its bearer, as user@domain.
        type: str
        required: true
      authorizations:
        description: What it may be used for. None is everything that the identity may.
        type: list
        elements: str
        default: []
  keep:
    description: Files of others below O(directory), whose subdirectories are therefore not removed.
    type: list
    elements: str
    default: []
  rotate:
    description: Keys and tokens to make anew, by path below O(directory). A new key makes its tokens new too.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and tell what would be changed.
    support: full
  diff_mode:
    description: Says who may do what by each token; never a secret.
    support: full
  idempotent:
    description: A second run changes nothing, unless O(rotate) names something.
    support: partial
"""

EXAMPLES = r"""
- name: Issue the flock's tokens
  sheepfold.htcondor.idtoken:
    directory: /etc/sheepfold/pool
    trust_domain: flock.example.org
    keys: [passwords.d/flock]
    tokens:
      - path: out/neighbours/token
        key: passwords.d/flock
        identity: neighbours@in.flock.example.org
        authorizations: [READ, ADVERTISE_SCHEDD]
"""

RETURN = r"""
token_ids:
  description: Ids (claim C(jti)) of the tokens by path. In check mode a token that does not exist yet has the id C(new).
  returned: always
  type: dict
  sample: {"out/neighbours/token": "0f4a5b7c0f4a5b7c0f4a5b7c0f4a5b7c"}
"""

from pathlib import Path, PurePosixPath

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sheepfold.htcondor.plugins.module_utils.pool.secrets import Secrets, WantedSecrets, WantedToken, problem


def run(module: AnsibleModule) -> None:
    params = module.params
    wanted = WantedSecrets(
        trust_domain=params["trust_domain"],
        keys=tuple(params["keys"]),
        tokens=tuple(
            WantedToken(path=token["path"], key=token["key"], identity=token["identity"], scope=tuple(token["authorizations"]))
            for token in params["tokens"]
        ),
        keep=tuple(params["keep"]),
        rotate=tuple(params["rotate"]),
    )
    wrong = problem(wanted)
    if wrong:
        module.fail_json(msg=wrong)
    secrets = Secrets(Path(params["directory"]), wanted)
    try:
        before = secrets.describe()
        secrets.plan()
        if not module.check_mode:
            secrets.write()
    except OSError as error:
        module.fail_json(msg=f"{error.filename or params['directory']}: {error.strerror}")
    header = str(PurePosixPath(params["directory"]))
    module.exit_json(
        changed=secrets.changed,
        token_ids=secrets.token_ids(),
        diff={"before": before, "after": secrets.describe_planned(), "before_header": header, "after_header": header},
    )


def main() -> None:
    run(
        AnsibleModule(
            argument_spec={
                "directory": {"type": "path", "required": True},
                "trust_domain": {"type": "str", "required": True},
                "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
                "tokens": {
                    "type": "list",
                    "elements": "dict",
                    "default": [],
                    "no_log": False,
                    "options": {
                        "path": {"type": "str", "required": True},
                        "key": {"type": "str", "required": True, "no_log": False},
                        "identity": {"type": "str", "required": True},
                        "authorizations": {"type": "list", "elements": "str", "default": []},
                    },
                },
                "keep": {"type": "list", "elements": "str", "default": []},
                "rotate": {"type": "list", "elements": "str", "default": []},
            },
            supports_check_mode=True,
        )
    )


if __name__ == "__main__":
    main()
