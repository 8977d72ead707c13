# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shepherd's settings, and what may be wrong with them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Union

POLICIES = ("balance", "threshold")


class SettingsError(ValueError):
    """Settings that cannot be used; ``problems`` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(" ".join(problems))


@dataclass(frozen=True)
class PolicySettings:
    """How the shepherd behaves. Durations in seconds, shares between 0 and 1."""

    policy: str = "balance"
    cycle: int = 300
    """from one cycle to the next"""
    lease: int = 900
    """how long an opening lasts when it is not renewed"""
    reserve: float = 0.25
    """share of the cores that stays out of the flock"""

    threshold: int = 600
    """policy threshold: idle jobs; below it nodes go out, above it they come back"""
    step_out: int = 4
    """policy threshold: nodes that go out in a cycle"""
    step_back: int = 4
    """policy threshold: nodes that come back in a cycle"""

    low: int = 0
    """policy balance: demand in cores up to which nodes go out"""
    high: int = 0
    """policy balance: demand in cores above which nodes come back: at once, where no foreign job runs"""
    low_cycles: int = 1
    """policy balance: for how many cycles in a row demand is low before nodes go out"""
    high_cycles: int = 3
    """policy balance: foreign jobs have to leave for what is missing in each of so many cycles in a row"""
    out_share: float = 0.1
    """share of the nodes that goes out in a cycle at the most (one always may)"""
    moving_share: float = 0.25
    """share of the nodes that is on its way out or back when more go out (one always may)"""
    dwell: int = 900
    """how long a node that came back works locally before it is lent again"""

    verify_max_age: int = 604800
    """how old a node's last verification may be"""
    rules_hash: str = ""
    """what the rules must have been at a node's last verification (FlockVerifyRulesHash); empty for any"""

    reclaim_cap: int = 600
    """the most that a foreign job gets when its node is taken back"""
    quick: int = 120
    """from asking a foreign job to end until it is killed"""

    collector_age: int = 900
    """how long a collector listens before it is believed (HTCondor's CLASSAD_LIFETIME)"""
    fall: float = 0.2
    """share of the startds that may vanish from one cycle to the next"""
    fall_hold: int = 1800
    """how long everything is held after that; then the new number is the number"""
    stale_share: float = 0.2
    """share of the startds that may be unknown"""
    demand_age: int = 900
    """how old an access point's ad may be"""
    mirror_age: int = 900
    """how old the newest copy of the flock's ads in the site's collector may be; 0 for any"""
    lag: int = 60
    """the most that passes from a decision until a command has taken effect and is in the collector's ads"""

    backoff: int = 300
    """the first pause after a second failure in a row; it doubles"""
    backoff_max: int = 7200
    quarantine_after: int = 5
    """failures in a row"""
    quarantine: int = 86400
    breaker_ratio: float = 0.5
    """share of a cycle's commands that may fail before nothing more is lent"""
    breaker_least: int = 4
    """commands in a cycle that are too few to judge by"""
    breaker_hold: int = 1800

    def __post_init__(self) -> None:
        """Raises SettingsError."""
        found = problems(self)
        if found:
            raise SettingsError(found)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> PolicySettings:
        """From a mapping of settings' names to values. Raises SettingsError, also for names that are none."""
        known = {each.name for each in fields(cls)}
        unknown = [
            f"{name} is {values[name]!r}: expected no such setting (there are {', '.join(sorted(known))})."
            for name in values
            if name not in known
        ]
        if unknown:
            raise SettingsError(unknown)
        return cls(**values)


_POSITIVE = ("cycle", "lease", "verify_max_age", "backoff", "backoff_max", "quarantine", "breaker_hold", "lag")
_NATURAL = ("threshold", "low", "high", "dwell", "reclaim_cap", "quick", "collector_age", "fall_hold", "demand_age", "mirror_age")
_COUNTS = ("step_out", "step_back", "low_cycles", "high_cycles", "quarantine_after", "breaker_least")
_SHARES = ("reserve", "out_share", "moving_share", "fall", "stale_share", "breaker_ratio")
_TEXTS = ("policy", "rules_hash")
_Number = Union[int, float]


def _number(value: Any, whole: bool) -> bool:
    kinds = (int,) if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and isfinite(value)


def _alone(settings: PolicySettings) -> list[str]:
    """What is wrong with a value by itself."""
    found = []

    def expect(names: tuple[str, ...], whole: bool, least: _Number, most: _Number | None, words: str) -> None:
        for name in names:
            value = getattr(settings, name)
            if not _number(value, whole) or value < least or (most is not None and value > most):
                found.append(f"{name} is {value!r}: expected {words}.")

    expect(_POSITIVE, True, 1, None, "a whole number of seconds above 0")
    expect(_NATURAL, True, 0, None, "a whole number, 0 or more")
    expect(_COUNTS, True, 1, None, "a whole number, 1 or more")
    expect(_SHARES, False, 0, 1, "a share from 0 to 1")
    found += [
        f"{name} is {getattr(settings, name)!r}: expected a text."
        for name in _TEXTS
        if not isinstance(getattr(settings, name), str)
    ]
    return found


def problems(settings: PolicySettings) -> list[str]:
    """What is wrong: a sentence for each problem that names the setting, its value and what is expected."""
    found = _alone(settings)
    if found:
        return found
    if settings.policy not in POLICIES:
        found.append(f"policy is {settings.policy!r}: expected one of {', '.join(POLICIES)}.")
    if settings.low > settings.high:
        found.append(f"low is {settings.low}: expected no more than high, which is {settings.high}.")
    if settings.lease < 2 * settings.cycle:
        found.append(f"lease is {settings.lease}: expected at least two cycles, which are {2 * settings.cycle} s.")
    if settings.backoff_max < settings.backoff:
        found.append(f"backoff_max is {settings.backoff_max}: expected no less than backoff, which is {settings.backoff}.")
    return found
