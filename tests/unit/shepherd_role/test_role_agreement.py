"""The role's specification and defaults say what the engine's own classes say."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from typing import Any

import pytest
import yaml
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.configuration import (
    Configuration,
    IcingaOptions,
    MetricsOptions,
    PoolOptions,
    TmpFlockoff,
    parse,
)
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.scope import Scope
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.settings import POLICIES, PolicySettings
from role_evaluation import Evaluate
from role_values import ROLE

SECTIONS: dict[str, Any] = {
    "settings": PolicySettings,
    "pool": PoolOptions,
    "scope": Scope,
    "tmp_flockoff": TmpFlockoff,
    "monitoring": IcingaOptions,
    "metrics": MetricsOptions,
}
# The role's own business: it keeps the tokens where the daemon may read them.
NOT_OFFERED = {"pool": {"command_tokens"}}
# From the site's description, or from HTCondor's configuration.
FROM_ELSEWHERE = {("settings", "lease"), ("pool", "flock_collector")}
TYPES = {bool: "bool", int: "int", float: "float", str: "str", tuple: "list", type(None): "str"}


@pytest.fixture(scope="module")
def options() -> dict[str, Any]:
    specification = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())
    return dict(specification["argument_specs"]["main"]["options"])


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_with_its_type_and_default(options: dict[str, Any], name: str) -> None:
    offered = options[f"shepherd_{name}"]["options"]
    known = {each.name: each.default for each in fields(SECTIONS[name])}
    assert set(offered) == set(known) - NOT_OFFERED.get(name, set())
    for key, option in offered.items():
        assert option["type"] == TYPES[type(known[key])], key
        if (name, key) in FROM_ELSEWHERE:
            assert "default" not in option, key
        else:
            default = known[key]
            assert default is not MISSING
            assert option["default"] == (list(default) if isinstance(default, tuple) else default), key


def test_choices(options: dict[str, Any]) -> None:
    assert options["shepherd_settings"]["options"]["policy"]["choices"] == list(POLICIES)
    for transport in options["shepherd_pool"]["options"]["transport"]["choices"]:
        assert parse({"pool": {"transport": transport}}).pool.transport == transport


def test_there_is_a_variable_for_every_part_of_the_configuration(options: dict[str, Any]) -> None:
    # The managers are those of the inventory.
    assert {f"shepherd_{each.name}" for each in fields(Configuration)} - {"shepherd_managers"} <= set(options)


def test_without_variables_the_engine_has_its_own_defaults(evaluate: Evaluate) -> None:
    written = parse(evaluate("{{ shepherd__written_configuration }}"))
    expected = Configuration()
    pool = replace(expected.pool, command_tokens="/etc/sheepfold/shepherd/commands.d")
    assert written == replace(expected, pool=pool)


def test_the_lease_is_that_of_the_description_where_none_is_given(evaluate: Evaluate) -> None:
    plan = evaluate("{{ flock_plan | combine({'lease_seconds': 1800}) }}")
    assert parse(evaluate("{{ shepherd__configuration }}", flock_plan=plan)).settings.lease == 1800
    chosen = evaluate("{{ shepherd__configuration }}", flock_plan=plan, shepherd_settings={"lease": 1200})
    assert parse(chosen).settings.lease == 1200


def test_a_short_cycle_has_a_short_deadline(evaluate: Evaluate) -> None:
    assert parse(evaluate("{{ shepherd__configuration }}", shepherd_settings={"cycle": 20})).deadline == 16
