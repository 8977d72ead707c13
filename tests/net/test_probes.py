# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probes: they leak where nothing protects the site, and nowhere else."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.model import CLOSED
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.judge import LEAK

from . import harness
from .tally import TALLY
from .topology import Network

HERE = Path(__file__).parent


def test_without_protection_every_probe_leaks(naive_network: Network) -> None:
    excused = yaml.safe_load((HERE / "naive.yml").read_text())
    prober = harness.Prober(naive_network)
    quiet: set[tuple[str, str]] | None = None
    for _ in range(3):  # of false neighbours the last one counts, and which that is, is chance
        silent = {
            (one.attempt.probe, one.attempt.what) for one in prober.run() if one.attempt.expect == CLOSED and one.result != LEAK
        }
        quiet = silent if quiet is None else quiet & silent
    assert quiet
    used = set()
    unexcused = []
    for probe, what in sorted(quiet):
        fitting = [n for n, item in enumerate(excused) if item["probe"] == probe and fnmatchcase(what, item["what"])]
        used.update(fitting)
        if not fitting:
            unexcused.append(f"{probe}: {what}")
    assert not unexcused, "these cannot fail"
    assert used == set(range(len(excused))), "an excuse that is not needed"


def test_the_rulesets_hold_on_their_own(network: Network) -> None:
    found = TALLY.count(harness.Prober(network))
    assert not found


def test_a_central_manager_behind_the_gateway(behind_network: Network) -> None:
    found = TALLY.count(harness.Prober(behind_network, behind=True))
    assert not found
