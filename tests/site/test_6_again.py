"""Once more on hosts that are as before: check mode predicts what the run then does, and removal leaves nothing again.

Part of `make test-site-full`.
"""

from __future__ import annotations

from . import fingerprint
from .full import only_full
from .plays import CONSENT, play

pytestmark = only_full


#: A check of a first run is short enough to be read: lines of diff for each host.
READABLE = 60


def test_check_mode_predicts_what_the_run_does() -> None:
    predicted = play("site", "--check", "--diff", label="site-check")
    assert not predicted.failed, predicted.failed
    assert predicted.returncode == 0
    assert max(predicted.diff_lines.values()) <= READABLE, predicted.diff_lines
    assert fingerprint.differences() == [], "check mode changes nothing"
    done = play("site", label="site-again")
    assert not done.failed, done.failed
    assert set(predicted.changed) == set(done.changed)
    unchanged = play("site", "--check", "--diff", label="site-check-unchanged")
    assert (unchanged.changed, unchanged.failed, unchanged.diff_lines) == ((), (), {})


def test_removal_predicts_and_leaves_nothing_again() -> None:
    predicted = play("teardown", "--check", "--diff", label="teardown-check")
    assert not predicted.failed, predicted.failed
    done = play("teardown", *CONSENT, label="teardown-once-more")
    assert not done.failed, done.failed
    assert set(predicted.changed) == set(done.changed)
    assert fingerprint.differences() == []
