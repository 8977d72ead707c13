"""What role pool says about a host before it changes anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from role_evaluation import Evaluate, evaluation

ROLE = Path(__file__).resolve().parents[3] / "roles" / "pool"
PLAN: dict[str, Any] = {
    "domain": "sips",
    "subnet": "10.27.2.0/24",
    "gateway": {"address": "10.27.2.1"},
    "central_manager": {"host": "submit", "wan_address": "203.0.113.1", "flock_address": "10.27.2.1", "port": 9618},
    "nodes": {"p220": {"flock": "f220", "regular": "p220", "address": "10.27.2.220"}},
    "flock_in": [],
    "flock_out": [],
}
VALUES = {
    "CONDOR_VERSION": "23.9.6",
    "LOCAL_CONFIG_DIR": "/usr/share/condor/config.d,/etc/condor/config.d",
    "DAEMON_LIST": "MASTER COLLECTOR NEGOTIATOR SCHEDD",
    "USE_SHARED_PORT": "true",
    "IP_ADDRESS": "10.27.1.1",
    "BIND_ALL_INTERFACES": "true",
    "SHARED_PORT_PORT": "9618",
}

PROBLEMS = "{{ query('sheepfold.htcondor.preflight', 'pool', plan=flock_plan, facts=pool__facts) }}"


@pytest.fixture(scope="module")
def evaluate() -> Iterator[Evaluate]:
    known = {
        "inventory_hostname": "submit",
        "flock_plan": PLAN,
        "groups": {"flock_central_manager": ["submit"], "flock_access_point": ["submit", "ap"]},
        "pool__found": {"stdout": ""},
        "pool__token_files": {"results": []},
        "hostvars": {"submit": {}},
    }
    with evaluation(ROLE, known) as evaluate:
        yield evaluate


def problems(evaluate: Evaluate, values: dict[str, str], **variables: Any) -> list[str]:
    found: list[str] = evaluate(PROBLEMS, pool__asked={"parameters": {**VALUES, **values}}, **variables)
    return found


def test_the_usual_site_has_no_problem(evaluate: Evaluate) -> None:
    assert problems(evaluate, {}) == []
    assert problems(evaluate, {"LOCAL_CONFIG_DIR": "/etc/condor/config.d/"}) == []
    assert problems(evaluate, {}, pool_config_directory="/etc/condor/config.d/") == []


OUT = {**PLAN, "flock_out": [{"name": "remote", "central_manager": "203.0.113.9", "token_file": "/etc/condor/tokens.d/remote"}]}


@pytest.mark.parametrize(
    ("values", "variables", "sentence"),
    [
        ({"LOCAL_CONFIG_DIR": "/srv"}, {}, "pool_config_directory is '/etc/condor/config.d': expected one of LOCAL_CONFIG_DIR"),
        ({"SHARED_PORT_PORT": "9620"}, {}, "SHARED_PORT_PORT of submit is '9620': expected 9618, flock.central_manager.port"),
        (
            {"FULL_HOSTNAME": "node7.sips", "DAEMON_LIST": "MASTER STARTD"},
            {"inventory_hostname": "p220"},
            "HTCondor of p220 calls its host 'node7.sips' (FULL_HOSTNAME): expected p220, the name that the inventory gives",
        ),
        (
            {"BIND_ALL_INTERFACES": "False"},
            {},
            "BIND_ALL_INTERFACES of submit is 'False': expected True, or HTCondor listens at 10.27.1.1 alone and not at"
            " 203.0.113.1, 10.27.2.1, 127.0.0.1",
        ),
        (
            {"BIND_ALL_INTERFACES": "False"},
            {"inventory_hostname": "ap", "pool_wan_address": "203.0.113.2", "flock_plan": OUT},
            "BIND_ALL_INTERFACES of ap is 'False': expected True, or HTCondor listens at 10.27.1.1 alone and not at 203.0.113.2",
        ),
    ],
)
def test_one_sentence(evaluate: Evaluate, values: dict[str, str], variables: dict[str, Any], sentence: str) -> None:
    assert [text[: len(sentence)] for text in problems(evaluate, values, **variables)] == [sentence]


def test_what_is_not_of_its_type_and_what_the_host_lacks_are_told_at_once(evaluate: Evaluate) -> None:
    found = problems(evaluate, {"LOCAL_CONFIG_DIR": "/srv"}, pool_mirror_seconds="x", pool_rotate_tokens="f220")
    assert [text.split(" is ")[0] for text in found] == ["pool_rotate_tokens", "pool_mirror_seconds", "pool_config_directory"]


def test_the_case_of_a_nodes_name_is_nothing(evaluate: Evaluate) -> None:
    node = {"inventory_hostname": "p220", "pool_mirror_user": "condor"}
    assert problems(evaluate, {"FULL_HOSTNAME": "P220.sips", "DAEMON_LIST": "MASTER STARTD"}, **node) == []


def test_an_access_point_that_flocks_nowhere_may_listen_where_it_likes(evaluate: Evaluate) -> None:
    other = {"BIND_ALL_INTERFACES": "False", "SHARED_PORT_PORT": "9700", "DAEMON_LIST": "MASTER SCHEDD"}
    assert problems(evaluate, other, inventory_hostname="ap") == []


def test_without_htcondor_it_is_one_sentence(evaluate: Evaluate) -> None:
    asked = {"msg": "condor_config_val is missing: expected HTCondor to be installed"}
    (sentence,) = evaluate(PROBLEMS, pool__asked=asked)
    assert sentence.startswith(
        "HTCondor of submit is not installed or its configuration cannot be read (condor_config_val is missing"
    )


# --- a second central manager

TWO = {"groups": {"flock_central_manager": ["submit", "cm2"], "flock_access_point": ["submit"]}}
SECOND = {**TWO, "inventory_hostname": "cm2"}


def keys(**digests: str | None) -> dict[str, Any]:
    """What was seen of the signing key: None where the run does not look at the host, empty where there is none."""
    stats = {
        host: {"stat": {"exists": bool(digest), **({"checksum": digest} if digest else {})}} for host, digest in digests.items()
    }
    return {"hostvars": {host: {"pool__signing_key": stats[host]} if digests[host] is not None else {} for host in digests}}


def test_a_second_central_manager_needs_the_sites_daemons_alone(evaluate: Evaluate) -> None:
    seen = {**SECOND, **keys(submit="aa", cm2="aa")}
    own = {"BIND_ALL_INTERFACES": "False", "SHARED_PORT_PORT": "9700", "USE_SHARED_PORT": "false"}
    assert problems(evaluate, {**own, "DAEMON_LIST": "MASTER COLLECTOR NEGOTIATOR"}, **seen) == []
    [told] = problems(evaluate, {**own, "DAEMON_LIST": "MASTER COLLECTOR"}, **seen)
    assert told.startswith("DAEMON_LIST of cm2 is 'MASTER COLLECTOR': expected NEGOTIATOR in it")


@pytest.mark.parametrize(
    ("digests", "sentence"),
    [
        ({"submit": "aa", "cm2": "aa"}, ""),
        ({"submit": "", "cm2": ""}, ""),
        ({"submit": "aa", "cm2": ""}, ""),
        ({"submit": None, "cm2": "aa"}, ""),
        ({"submit": "aa", "cm2": None}, ""),
        ({"submit": "aa", "cm2": "bb"}, "The flock's signing key on cm2 is another one than on submit: expected a copy"),
        ({"submit": "", "cm2": "bb"}, "flock.central_manager.host is 'submit', and the flock's signing key is on cm2 alone"),
    ],
)
def test_keys_are_issued_once(evaluate: Evaluate, digests: dict[str, str | None], sentence: str) -> None:
    for host in ({**TWO}, SECOND):
        found = problems(evaluate, {}, **host, **keys(**digests))
        assert [text[: len(sentence)] for text in found] == ([sentence] if sentence else [])


def test_copies_are_as_they_were_issued(evaluate: Evaluate) -> None:
    issued = evaluate("{{ pool__credential_files }}", **SECOND)
    lines = [f"{path}:secret:{number}" for number, path in enumerate(issued)]
    copies = evaluate("{{ pool__copies }}", pool__read={"stdout_lines": lines}, **SECOND)
    for number, (path, file) in enumerate(zip(issued, copies["files"])):
        assert file["path"] == f"/etc/sheepfold/pool/{path}"
        assert (file["mode"], file["content"]) == ("0600", f"secret:{number}" + ("" if "/passwords.d/" in f"/{path}" else "\n"))
    kept = {each["path"]: (each["mode"], each["exclusive"], sorted(each["keep"])) for each in copies["directories"]}
    assert kept == {
        "/etc/sheepfold/pool": ("0700", True, ["commands.d", "f220", "passwords.d"]),
        "/etc/sheepfold/pool/passwords.d": ("0700", True, ["flock"]),
        "/etc/sheepfold/pool/commands.d": ("0700", True, ["f220"]),
        "/etc/sheepfold/pool/f220": ("0700", True, ["passwords.d", "token"]),
        "/etc/sheepfold/pool/f220/passwords.d": ("0700", True, ["f220"]),
    }


def test_only_one_of_them_has_the_flocks_daemons(evaluate: Evaluate) -> None:
    asked = {"pool__asked": {"parameters": VALUES}}
    expression = "{{ [pool__snippets['60-flock-central-manager.conf'], pool__companions, pool__expressions] }}"
    snippet, companions, expressions = evaluate(expression, **SECOND, **asked)
    assert "NEGOTIATOR_SLOT_CONSTRAINT = FlockMirrored =!= True" in snippet
    assert "COLLECTOR.DENY_READ = $(DENY_READ) 10.27.2.0/24" in snippet
    assert "FLOCK_COLLECTOR" not in snippet
    assert companions == []
    assert {each["name"] for each in expressions} == {"NEGOTIATOR_SLOT_CONSTRAINT", "NEGOTIATOR_SUBMITTER_CONSTRAINT"}
    plan = {**PLAN, "container": {"slots": 1}}
    plan["nodes"] = {"p220": {**PLAN["nodes"]["p220"], "hostname": "f220.sips"}}
    snippet, companions, expressions = evaluate(expression, **TWO, **asked, flock_plan=plan)
    assert "DAEMON_LIST = $(DAEMON_LIST) FLOCK_COLLECTOR FLOCK_NEGOTIATOR FLOCK_MIRROR" in snippet
    assert len(companions) == 5  # of them one that access points have too
    assert len(expressions) == 6
