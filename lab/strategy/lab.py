"""Strategy `lab`: linear, through one lasting Python process per guest where the controller has Mitogen.

Most of a task's cost on an emulated guest is the start of Python with Ansible's library: some five seconds of its processor.
The strategy changes how modules get there, not what they do; without Mitogen it is Ansible's own `linear`.
"""

from __future__ import annotations

DOCUMENTATION = """
name: lab
short_description: Linear strategy for emulated guests
description:
  - Executes tasks in lockstep like C(linear), through Mitogen where it is installed.
author: Sheepfold contributors
"""

from ansible.plugins.strategy.linear import StrategyModule as Linear

try:
    from ansible_mitogen.strategy import StrategyMixin  # type: ignore[import-not-found,import-untyped,unused-ignore]
except ImportError:

    class StrategyModule(Linear):  # type: ignore[misc]
        """Ansible's own."""

else:

    class StrategyModule(StrategyMixin, Linear):  # type: ignore[no-redef,misc]
        """Ansible's own, with Mitogen's connections."""
