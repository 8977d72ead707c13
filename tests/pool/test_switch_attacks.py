"""The switch under attack: every item of the adversarial list, each with a control that shows it succeed without the switch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from attacks import catalogue, runner
from attacks.answer import Answer
from attacks.attack import Attack, Outcome, table
from attacks.drivers import INSTALL
from attacks.ground import Ground
from condor_harness import VERSIONS, Root, build_execute_root

_REPORTS = Path(__file__).resolve().parents[2] / "build/reports"


@pytest.fixture(scope="module", params=VERSIONS)
def execute_root(request: pytest.FixtureRequest) -> Root:
    if os.geteuid() != 0:
        pytest.fail("tests/pool make namespaces and mounts: run them as root")
    return build_execute_root(request.param)


@pytest.fixture(scope="module")
def attacks(execute_root: Root) -> list[Attack]:
    return [attack for attack in catalogue.ATTACKS if execute_root.suite in attack.suites]


@pytest.fixture(scope="module")
def controls(execute_root: Root, attacks: list[Attack]) -> dict[str, Answer]:
    """What the attacks achieve without the switch."""
    with Ground(execute_root, protected=False) as ground:
        catalogue.prepare(ground)
        return runner.controls(ground, attacks)


@pytest.fixture(scope="module", params=sorted(INSTALL))
def outcomes(
    execute_root: Root, attacks: list[Attack], controls: dict[str, Answer], request: pytest.FixtureRequest
) -> dict[str, Outcome]:
    """What came of each attack on one driver; the table of them goes to ``build/reports``."""
    attacks = [attack for attack in attacks if request.param in attack.drivers]
    with Ground(execute_root, protected=True, driver=request.param) as ground:
        catalogue.prepare(ground)
        found, without = runner.attempts(ground, attacks)
    without = {**controls, **without}
    made = {attack.name: Outcome(attack, without.get(attack.name), found.get(attack.name)) for attack in attacks}
    _REPORTS.mkdir(parents=True, exist_ok=True)
    (_REPORTS / f"attacks-{execute_root.suite}-{request.param}.txt").write_text(table(list(made.values())))
    return made


@pytest.mark.parametrize("name", [attack.name for attack in catalogue.ATTACKS])
def test_attack(name: str, outcomes: dict[str, Outcome]) -> None:
    if name not in outcomes:
        pytest.skip("not in this version, or not of this driver")
    outcome = outcomes[name]
    assert not outcome.verdict.startswith("FAILED"), f"{outcome.verdict}: {outcome.control} / {outcome.protected}"
