"""Run a module's whole code in this process, as Ansible would call it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils import basic

RunModule = Callable[..., dict[str, Any]]


class Ended(Exception):
    """The module called exit_json or fail_json."""


@pytest.fixture
def run_module(monkeypatch: pytest.MonkeyPatch) -> RunModule:
    """Call a module of the collection; its result, with ``failed`` set when it failed."""

    def exit_json(self: basic.AnsibleModule, **result: Any) -> None:
        raise Ended({"failed": False, **result})

    def fail_json(self: basic.AnsibleModule, msg: str, **result: Any) -> None:
        raise Ended({"failed": True, "msg": msg, **result})

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", exit_json)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", fail_json)

    def run(name: str, check: bool = False, **params: Any) -> dict[str, Any]:
        arguments = {"ANSIBLE_MODULE_ARGS": {**params, "_ansible_check_mode": check, "_ansible_diff": True}}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(arguments).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        module = importlib.import_module(f"ansible_collections.sheepfold.htcondor.plugins.modules.{name}")
        with pytest.raises(Ended) as ended:
            module.main()
        result: dict[str, Any] = ended.value.args[0]
        return result

    return run
