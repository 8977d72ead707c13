# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every rule is needed: without it, a probe turns red."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from . import errors, harness, layers, rules
from .limits import measuring, problem
from .mutants import Mutant, mutants
from .tally import TALLY
from .topology import Network

#: The gateway's mutants are many: so many tests, which may run beside each other.
PARTS = 4
WAIVED = {item["rule"]: item["reason"] for item in yaml.safe_load((Path(__file__).parent / "waivers.yml").read_text())}


def _others_notice(net: Network, mutant: Mutant) -> bool:
    """Return whether ICMP errors go wrong, or a limit fails when the same rule is missing in rulesets with small values."""
    if errors.problem(net):
        return True
    for limit in measuring(mutant.name):
        small = next(item for item in mutants(rules.both(**limit.settings)) if item.number == mutant.number)
        net.nft("submit", small.rules)
        if problem(net, limit):
            return True
    return False


def _survivors(
    net: Network, place: str, found: list[Mutant], prober: harness.Prober, more: Callable[[Mutant], bool]
) -> list[str]:
    survivors = []
    for mutant in found:
        TALLY.mutants += 1
        net.nft(place, mutant.rules)
        if harness.wrong(prober) or more(mutant):
            TALLY.killed += 1
        else:
            survivors.append(mutant.name)
    return survivors


def _check(survivors: list[str], found: list[Mutant]) -> None:
    """Survivors need a reason; a reason needs a survivor."""
    assert not [name for name in survivors if name not in WAIVED]
    names = {mutant.name for mutant in found}
    assert not [name for name in WAIVED if name in names and name not in survivors], "waived, and yet a probe tells"


@pytest.mark.parametrize("part", range(PARTS))
def test_gateway(network: Network, part: int) -> None:
    # Every so many-th, as neighbours take alike long.
    found = mutants(rules.both())[part::PARTS]
    try:
        survivors = _survivors(network, "submit", found, harness.Prober(network), lambda item: _others_notice(network, item))
    finally:
        layers.gateway_rules(network)
    _check(survivors, found)


def test_gateway_with_exceptions(behind_network: Network) -> None:
    """Only the rules that the exceptions add."""
    usual = {mutant.name for mutant in mutants(rules.both())}
    found = [mutant for mutant in mutants(rules.both(behind=True)) if mutant.name not in usual]
    assert found
    try:
        prober = harness.Prober(behind_network, behind=True)
        survivors = _survivors(behind_network, "submit", found, prober, lambda _: False)
    finally:
        layers.gateway_rules(behind_network, behind=True)
    _check(survivors, found)


def test_port_filter(network: Network) -> None:
    found = mutants(rules.port("p220"))
    try:
        survivors = _survivors(network, "p220", found, harness.Prober(network), lambda _: False)
    finally:
        network.nft("p220", rules.port("p220"))
    _check(survivors, found)


def test_no_waiver_without_a_rule() -> None:
    names = {mutant.name for text in (rules.both(), rules.both(behind=True), rules.port("p220")) for mutant in mutants(text)}
    assert not [name for name in WAIVED if name not in names]


@pytest.mark.parametrize("text", [rules.both(), rules.port("p220")], ids=["gateway", "port"])
def test_mutants_differ(text: str) -> None:
    found = mutants(text)
    assert found
    assert len({mutant.rules for mutant in found} | {text}) == len(found) + 1
