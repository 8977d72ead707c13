"""The switch's settings: what they say, and one sentence for each thing they cannot say."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute import settings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.errors import SYSTEM, SwitchError


def test_nothing_said_is_the_safe_side() -> None:
    known = settings.parse("")
    assert (known.mode, known.driver) == ("identity", "newuidmap")
    assert not known.user_namespaces
    assert not known.payload_caller
    assert not known.account


def test_repeated_names_make_lists_in_their_order() -> None:
    known = settings.parse("# comment\n\nadmission_user = bob\nadmission_user=alice@*\nuser_namespaces = yes\ntmp_size = 12\n")
    assert known.admission_user == ["bob", "alice@*"]
    assert known.user_namespaces
    assert known.tmp_size == 12


def test_an_account_has_a_name_and_an_id() -> None:
    (account,) = settings.parse("account = pool01 2100001").account
    assert (account.name, account.uid) == ("pool01", 2100001)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mode = maybe", "mode is 'maybe': expected identity or log-only or off"),
        ("driver = sudo", "driver is 'sudo': expected newuidmap"),
        ("user_namespaces = true", "user_namespaces is 'true': expected yes or no"),
        ("tmp_size = -1", "tmp_size is '-1': expected a whole number of at least 0"),
        ("tmp_size = ٣", "expected a whole number of at least 0"),
        ("completion_hook_timeout = 301", "at most 300"),
        ("completion_hook_timeout = 0", "at least 1"),
        ("admission_user =", "expected a value"),
        ("account = alice 1000", "account is 'alice 1000': expected an account's name and its id of at least 65536"),
        ("account = pool01", "expected an account's name and its id"),
        ("colour = red", "line 1 is 'colour = red': expected one of mode, driver"),
        ("mode", "line 1 is 'mode': expected one of"),
        ("__class__ = x", "expected one of"),
    ],
)
def test_what_cannot_be_is_named(line: str, expected: str) -> None:
    with pytest.raises(ValueError, match="line 1") as raised:
        settings.parse(line)
    assert expected in str(raised.value)


def test_no_settings_are_no_switch(tmp_path: Path) -> None:
    with pytest.raises(SwitchError) as raised:
        settings.read(str(tmp_path / "none"))
    assert raised.value.code == SYSTEM
