"""Every boolean and number of every role means what it says, also as text (`-e key=false`, surveys of AWX)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.role_options import specification, typed
from role_evaluation import evaluation

ROLES = Path(__file__).resolve().parents[3] / "roles"
#: Roles whose tasks and templates read typed options alone.
TYPED = ("execute_node", "flock_startd", "gateway", "macvlan", "pool", "shepherd", "verify", "vlan")
KNOWN: dict[str, Any] = {
    "inventory_hostname": "submit",
    "groups": {"flock_central_manager": ["submit"], "flock_access_point": [], "flock_nodes": ["p220"]},
    "ansible_facts": {},
    "flock_plan": {"domain": "sips", "central_manager": {"host": "submit", "wan_address": "203.0.113.1"}},
}


def options(role: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from specification(role).items()


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir()))
def test_a_text_means_what_it_says(role: str) -> None:
    for name, spec in options(role):
        short = name[len(role) + 1 :]
        for text, meant in {"bool": {"false": False, "true": True}, "int": {"12": 12}, "float": {"1.5": 1.5}}.get(
            spec["type"], {}
        ).items():
            found, wrong = typed(role, {name: text})
            assert (found[short], type(found[short]), wrong) == (meant, type(meant), [])
            assert typed(role, {name: meant}) == (found, [])


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("gateway_tc", "perhaps", "gateway_tc is 'perhaps': expected true or false"),
        ("gateway_tc", 2, "gateway_tc is 2: expected true or false"),
        ("gateway_connections", "64 MB", "gateway_connections is '64 MB': expected a whole number"),
        ("gateway_connections", "٢٥", "gateway_connections is '٢٥': expected a whole number"),
        ("gateway_connections", "1_000", "gateway_connections is '1_000': expected a whole number"),
        ("gateway_connections", True, "gateway_connections is True: expected a whole number"),
        ("gateway_connections", 1.5, "gateway_connections is 1.5: expected a whole number"),
        ("gateway_wan_sources", "192.0.2.1", "gateway_wan_sources is '192.0.2.1': expected a list"),
        ("gateway_wan_sources", [True], "gateway_wan_sources[0] is True: expected text"),
        ("gateway_state", "removed", "gateway_state is 'removed': expected present or absent"),
        ("execute_node_mode", "both", "execute_node_mode is 'both': expected one of identity, log-only, off"),
        ("execute_node_accounts", {"count": "many"}, "execute_node_accounts.count is 'many': expected a whole number"),
        ("verify_targets", [{"address": "192.0.2.1"}], "verify_targets[0].kind is not set: expected a value, since"),
        (
            "execute_node_admission",
            {"refused_user": ["eve"]},
            "execute_node_admission.refused_user is ['eve']: expected no such key, but one of executables, patterns, users, ref",
        ),
        ("shepherd_settings", {"wool": 1}, "shepherd_settings.wool is 1: expected no such key, but one of policy, cycle"),
    ],
)
def test_what_is_not_of_its_type_is_one_sentence(variable: str, value: object, sentence: str) -> None:
    [role] = [path.name for path in ROLES.iterdir() if variable in specification(path.name)]
    found, [wrong] = typed(role, {variable: value})
    assert wrong.startswith(sentence)
    assert variable[len(role) + 1 :] in found, "the rest can be looked at"


def dicts(specs: Mapping[str, Mapping[str, Any]], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The options that have suboptions, at any depth."""
    for name, spec in specs.items():
        if "options" in spec:
            yield path + name, spec
            yield from dicts(spec["options"], f"{path}{name}.")


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir()))
def test_no_dict_takes_a_key_that_nobody_knows(role: str) -> None:
    for path, _ in dicts(specification(role)):
        top, *below = path.split(".")
        value: Any = {"misspelt": 1}
        for key in reversed(below):
            value = {key: [value] if _is_list(role, path) else value}
        found, wrong = typed(role, {top: [value] if _is_list(role, top) else value})
        assert any(".misspelt is 1: expected no such key, but one of " in sentence for sentence in wrong), (path, wrong)
        assert "misspelt" not in str(found)


def _is_list(role: str, path: str) -> bool:
    return dict(dicts(specification(role)))[path]["type"] == "list"


@pytest.mark.parametrize("role", TYPED)
def test_what_tasks_and_templates_read_is_typed(role: str) -> None:
    numbers = {"bool": [False, True], "int": [12], "float": [1.5]}
    expression = f"{{{{ {role}__options }}}}"
    with evaluation(ROLES / role, KNOWN) as evaluate:
        for name, spec in options(role):
            for meant in numbers.get(spec["type"], []):
                found = evaluate(expression, **{name: str(meant).lower()})
                assert found == evaluate(expression, **{name: meant})
                assert found[name[len(role) + 1 :]] == meant


@pytest.mark.parametrize("role", TYPED)
def test_no_task_and_no_template_reads_an_option_untyped(role: str) -> None:
    names = [name for name, spec in options(role) if spec["type"] in ("bool", "int", "float")]
    untyped = re.compile(rf"\b({'|'.join(names)})\b(?! \| (?:int|bool)\b)")
    found = [
        f"{path.relative_to(ROLES)}: {expression}"
        for part in ("tasks", "templates", "handlers", "vars")
        for path in sorted((ROLES / role / part).rglob("*"))
        if path.is_file()
        for expression in _expressions(path)
        if untyped.search(expression)
    ]
    assert found == []


@pytest.mark.parametrize("role", ["execute_node"])
def test_preflight_tells_a_wrong_type_and_looks_no_further(role: str) -> None:
    tasks = yaml.safe_load((ROLES / role / "tasks" / "preflight.yml").read_text())
    [expression] = [
        found for task in tasks if (found := task.get("ansible.builtin.set_fact", {}).get(f"{role}__problems")) is not None
    ]
    with evaluation(ROLES / role, KNOWN) as evaluate:
        for name, spec in options(role):
            if spec["type"] == "list":
                assert evaluate(expression, **{name: 12}) == [f"{name} is 12: expected a list"]


def _expressions(path: Path) -> Iterator[str]:
    text = path.read_text()
    # What a sentence says of an option is no use of it.
    yield from (re.sub(r"'[^']*'|\"[^\"]*\"", "''", each) for each in re.findall(r"\{\{.*?\}\}|\{%.*?%\}", text, flags=re.DOTALL))
    if path.suffix == ".yml":
        yield from _conditions(yaml.safe_load(text))


def _conditions(tree: Any) -> Iterator[str]:
    """The bare expressions of tasks."""
    if isinstance(tree, list):
        for item in tree:
            yield from _conditions(item)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if key in ("when", "changed_when", "failed_when", "until", "that"):
                yield from map(str, value if isinstance(value, list) else [value])
            else:
                yield from _conditions(value)
