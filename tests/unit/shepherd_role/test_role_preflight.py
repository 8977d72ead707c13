"""One sentence for each thing that cannot work: name, value, what is expected."""

from __future__ import annotations

from typing import Any

import pytest
from role_evaluation import Evaluate
from role_values import ICINGA, PLAN, asked

PROBLEMS = "{{ query('sheepfold.htcondor.preflight', 'shepherd', plan=flock_plan, facts=shepherd__facts) }}"


def _looked(key: str, value: str, **stat: Any) -> dict[str, Any]:
    return {"item": {"key": key, "value": value}, "stat": {"exists": True, "isreg": True, "mode": "0600", "roth": False, **stat}}


def test_nothing_is_wrong_with_the_defaults(evaluate: Evaluate) -> None:
    assert evaluate(PROBLEMS) == []


def test_nothing_is_wrong_with_a_whole_configuration(evaluate: Evaluate) -> None:
    looked = {
        "results": [_looked("password_file", "/root/icinga"), _looked("ca_file", "/etc/ssl/icinga.pem", mode="0644", roth=True)]
    }
    assert evaluate(PROBLEMS, shepherd_monitoring=ICINGA, shepherd__looked=looked) == []


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"shepherd_state": "gone"}, "shepherd_state is 'gone': expected present or absent"),
        ({"shepherd_user": "root"}, "shepherd_user is 'root': expected the name of a user of the shepherd's own"),
        (
            {"shepherd_state_directory": "/var/lib"},
            "shepherd_state_directory is '/var/lib': expected an absolute path",
        ),
        (
            {"inventory_hostname": "other"},
            "The shepherd's host is other: expected that of a collector and negotiator of the site, submit",
        ),
        (
            {"shepherd__asked": asked(DAEMON_LIST="MASTER COLLECTOR")},
            "DAEMON_LIST of submit is 'MASTER COLLECTOR': expected NEGOTIATOR in it",
        ),
        (
            {"shepherd__asked": {"msg": "condor_config_val is missing"}},
            "HTCondor of submit is not installed or its configuration cannot be read (condor_config_val is missing)",
        ),
        (
            {"shepherd__asked": asked(CONDOR_VERSION="10.0.9")},
            "HTCondor of submit is version 10.0.9: expected 23.0 or newer",
        ),
        (
            {"shepherd_config_directory": "/etc/other"},
            "shepherd_config_directory is '/etc/other': expected one of",
        ),
        ({"shepherd_settings": {"wool": 1}}, "shepherd_settings.wool is 1: expected no such key, but one of policy"),
        ({"shepherd_settings": "all"}, "shepherd_settings is 'all': expected a dict"),
        ({"shepherd_settings": {"reserve": 1.5}}, "shepherd_settings.reserve is 1.5: expected a share from 0 to 1."),
        ({"shepherd_settings": {"low": 9, "high": 3}}, "shepherd_settings.low is 9: expected no more than high, which is 3."),
        (
            {"shepherd_settings": {"cycle": 600}},
            "shepherd_settings.lease is 900: expected at least two cycles, which are 1200 s.",
        ),
        (
            {"flock_plan": {**PLAN, "lease_seconds": 300}},
            "shepherd_settings.lease is 300: expected at least two cycles, which are 600 s.",
        ),
        ({"shepherd_pool": {"timeout": -1}}, "shepherd_pool.timeout is -1: expected a number of seconds above 0."),
        ({"shepherd_deadline": 301}, "shepherd_deadline is 301: expected seconds above 0, no more than settings.cycle"),
        ({"shepherd_metrics": {"port": 0}}, "shepherd_metrics.port is 0: expected a port, 1 to 65535."),
        ({"shepherd_monitoring": {**ICINGA, "ca_file": ""}}, "shepherd_monitoring.ca_file is empty: expected the file of the"),
        (
            {"shepherd_monitoring": {**ICINGA, "url": "http://icinga.sips"}},
            "shepherd_monitoring.url is 'http://icinga.sips': expected an address that begins with https://.",
        ),
        (
            {
                "shepherd_monitoring": ICINGA,
                "shepherd__looked": {"results": [_looked("password_file", "/root/icinga", mode="0644")]},
            },
            "shepherd_monitoring.password_file is '/root/icinga', mode 0644 on submit: expected mode 0600",
        ),
        (
            {"shepherd_monitoring": ICINGA, "shepherd__looked": {"results": [_looked("ca_file", "/ca", mode="0640")]}},
            "shepherd_monitoring.ca_file is '/ca', mode 0640 on submit: expected mode 0644",
        ),
        (
            {
                "shepherd_monitoring": ICINGA,
                "shepherd__looked": {"results": [{"item": {"key": "ca_file", "value": "/ca"}, "stat": {"exists": False}}]},
            },
            "shepherd_monitoring.ca_file is '/ca': expected a file on submit",
        ),
    ],
)
def test_one_sentence(evaluate: Evaluate, variables: dict[str, Any], sentence: str) -> None:
    found = evaluate(PROBLEMS, **variables)
    assert len(found) == 1, found
    assert found[0].startswith(sentence)
    assert "\n" not in found[0]


def test_what_is_to_go_needs_nothing(evaluate: Evaluate) -> None:
    nothing = {"shepherd__asked": {"skipped": True}, "shepherd_settings": {"reserve": 2}, "inventory_hostname": "other"}
    assert evaluate(PROBLEMS, shepherd_state="absent", **nothing) == []
