"""Strategy `linear` of the lab: Ansible's own, through one lasting Python process per guest where the controller has Mitogen.

Most of a task's cost on an emulated guest is the start of Python with Ansible's library: some five seconds of its processor.
The strategy changes how modules get there, not what they do; without Mitogen it is Ansible's own. It has the name of Ansible's,
so that it serves plays that ask for `linear` too.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ansible.plugins import strategy

DOCUMENTATION = """
name: linear
short_description: Linear strategy for emulated guests
description:
  - Executes tasks in lockstep like Ansible's C(linear), through Mitogen where it is installed.
author: Sheepfold contributors
"""

# By its file: under its module's name Ansible has already put this one.
_spec = importlib.util.spec_from_file_location("ansible_own_linear", Path(strategy.__file__).with_name("linear.py"))
if _spec is None or _spec.loader is None:
    raise ImportError("Ansible's strategy linear is not where its other strategies are")
_own = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_own)

try:
    from ansible_mitogen.strategy import StrategyMixin  # type: ignore[import-not-found,import-untyped,unused-ignore]
except ImportError:

    class StrategyModule(_own.StrategyModule):  # type: ignore[name-defined,misc]
        """Ansible's own."""

else:

    class StrategyModule(StrategyMixin, _own.StrategyModule):  # type: ignore[no-redef,name-defined,misc]
        """Ansible's own, with Mitogen's connections."""
