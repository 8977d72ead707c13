"""Removal: the hosts are as they were before."""

from __future__ import annotations

from . import fingerprint
from .full import only_full
from .plays import CONSENT, play


def test_absent_gives_the_hosts_back_as_they_were() -> None:
    result = play("teardown", *CONSENT)
    assert not result.failed, result.failed
    assert result.returncode == 0
    assert fingerprint.differences() == []


# It tells whether tasks report a change that is none, and nothing of what is left on the hosts.
@only_full
def test_absent_twice_changes_nothing() -> None:
    result = play("teardown", *CONSENT, label="teardown-again")
    assert result.returncode == 0
    assert result.changed == ()
