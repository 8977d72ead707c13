"""An option's value is a number in its range, an address, a name, one line: what it is written into takes it as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.preflight import gateway, image, macvlan, pool, values
from ansible_collections.sheepfold.htcondor.plugins.plugin_utils.role_options import specification, typed

ROLES = sorted(path.name for path in (Path(__file__).resolve().parents[3] / "roles").iterdir())
KINDS = {"gateway": gateway.KINDS, "image": image.KINDS, "macvlan": macvlan.KINDS, "pool": pool.KINDS}
LINES = ["a\nSTART = True", "a\r", "a\0", "a\x1b[2K", "a\u2028b", "\ud800"]


def texts(specs: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any, Any]]:
    """Every option that takes text, at any depth, with a value as it is and one that waits for the text."""
    for name, spec in specs.items():
        if "options" in spec:
            for inner, wrap in texts(spec["options"]):
                path = f"{name}[0].{inner}" if spec["type"] == "list" else f"{name}.{inner}"
                yield path, _wrapped(name, spec["type"], wrap)
        elif spec["type"] in ("str", "path"):
            yield name, lambda text, name=name: {name: text}
        elif spec["type"] == "list" and spec.get("elements", "str") in ("str", "path"):
            yield f"{name}[0]", lambda text, name=name: {name: [text]}
        elif spec["type"] == "dict":
            yield name, lambda text, name=name: {name: {"a": [{"b": text}]}}
            yield name, lambda text, name=name: {name: {text: 1}}


def _wrapped(name: str, kind: str, wrap: Any) -> Any:
    return lambda text: {name: [wrap(text)] if kind == "list" else wrap(text)}


@pytest.mark.parametrize("role", ROLES)
def test_every_text_of_every_role_is_one_line(role: str) -> None:
    found = list(texts(specification(role)))
    assert found
    for path, value in found:
        for line in LINES:
            _, wrong = typed(role, value(line))
            [said] = [sentence for sentence in wrong if sentence.startswith(f"{path} is ") and "required" not in sentence]
            assert said.endswith(": expected one line, without control characters")
            assert not set(said) & set("\n\r\0\x1b\u2028\ud800"), "the sentence is one line too"


def said(option: str, value: Any) -> list[str]:
    [role] = [role for role in KINDS if option in specification(role)]
    options, wrong = typed(role, {option: value})
    return [*wrong, *values.problems(role, options, KINDS[role])]


@pytest.mark.parametrize(
    ("option", "right", "wrong"),
    [
        ("pool_mirror_user", ["condor", "_flock-1"], ["condor,", "$(X)", "a b", "-x", "Root"]),
        ("pool_wan_address", ["203.0.113.1", ""], ["203.0.113", "cm.example.org", "::1", "203.0.113.1>"]),
        ("pool_private_network", ["site.example.org"], ["a b", 'a"', "a\\", "a,b"]),
        ("pool_local_domains", [[], ["example.org", "EXAMPLE"]], [[""], ["$(X)"]]),
        ("pool_mirror_seconds", [1, "5"], [0, -1, 3601]),
        ("pool_session_seconds", [60, 86400], [0, -1, 86401]),
        ("pool_trust_domain", ["flock.example.org"], ["a b", ".x"]),
        ("pool_config_directory", ["/etc/condor/config.d/"], ["etc", "/a b", "/a$(B)"]),
        ("gateway_health_command", ["", "/bin/check --of 'the gateway'"], [" ", "check 'it"]),
        ("gateway_mark", [1, 4294967295], [0, -1, 4294967296]),
        ("macvlan_bridge", ["flock0", "a.b-c_d"], ["", "flock/0", "..", "flock 0", "abcdefghijklmnop", "-x"]),
        (
            "macvlan_bridge_address",
            ["192.0.2.1/30", "10.0.0.0/31"],
            ["192.0.2.1", "192.0.2.0/30", "192.0.2.3/30", "x/30", "::1/64"],
        ),
        ("macvlan_docker_packages", [["docker.io=26.1.5"]], [["-y"], ["a b"], [""]]),
        ("image_suite", ["trixie", "bookworm-backports"], ["-x", "a b", "../x"]),
        (
            "image_mirror",
            ["", "https://deb.example.org/debian", "deb [trusted=yes] file:///x trixie main"],
            ["--hook-dir=/x", " "],
        ),
        ("image_extra_packages", [["python3", "libstdc++6"]], [["-x"], ["Python"], ["a/b"]]),
        ("image_edition", ["", "2026-11"], ["a b", "../x"]),
    ],
)
def test_a_value_fits_or_is_one_sentence(option: str, right: list[Any], wrong: list[Any]) -> None:
    for value in right:
        assert said(option, value) == []
    for value in wrong:
        [sentence] = said(option, value)
        assert sentence.startswith((f"{option} is ", f"{option} has "))
        assert ": expected " in sentence
