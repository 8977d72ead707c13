# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probes: they leak where nothing protects the site, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.judge import FAILED, LEAK
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.model import CLOSED, Verdict

from . import harness
from .tally import TALLY
from .topology import Network

HERE = Path(__file__).parent


def words(verdict: Verdict) -> str:
    attempt = verdict.attempt
    return f"{verdict.result}: {attempt.probe}: {attempt.what} by {attempt.who} in {attempt.sender}: {verdict.why}"


def wrong(verdicts: Sequence[Verdict]) -> list[str]:
    return [words(verdict) for verdict in verdicts if verdict.result in (LEAK, FAILED)]


def test_without_protection_every_probe_leaks(naive_network: Network) -> None:
    excused = yaml.safe_load((HERE / "naive.yml").read_text())
    verdicts = harness.Prober(naive_network).run()
    quiet = {
        (verdict.attempt.probe, verdict.attempt.what)
        for verdict in verdicts
        if verdict.attempt.expect == CLOSED and verdict.result != LEAK
    }
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
    verdicts = harness.Prober(network).run()
    TALLY.probes += len(verdicts)
    TALLY.leaks += sum(verdict.result == LEAK for verdict in verdicts)
    assert not wrong(verdicts)


def test_a_central_manager_behind_the_gateway(behind_network: Network) -> None:
    verdicts = harness.Prober(behind_network, behind=True).run()
    TALLY.probes += len(verdicts)
    TALLY.leaks += sum(verdict.result == LEAK for verdict in verdicts)
    assert not wrong(verdicts)
