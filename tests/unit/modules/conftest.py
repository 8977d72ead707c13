"""Run whole modules in this process, as Ansible would run them on a host."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "condor"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shepherd_io"))

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run_module(main, **arguments)``: what the module returned."""

    def run(main: Callable[[], None], **arguments: Any) -> dict[str, Any]:
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(SystemExit):
            main()
        return dict(json.loads(capsys.readouterr().out))

    return run
