# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a configuration names: is it there, and may we use it?"""

from __future__ import annotations

import os
from pathlib import Path

from ...condor.errors import CondorError
from .. import journal
from ..config.configuration import Configuration
from ..cycle import prepare
from ..model import PoolSnapshot


def _files(configuration: Configuration) -> list[str]:
    found = []
    state = Path(configuration.state_directory)
    if not state.is_dir():
        found.append(f"state_directory is {state}: expected a directory that is there.")
    elif not os.access(state, os.W_OK | os.X_OK):
        found.append(f"state_directory is {state}: expected one that this user may write to.")
    tokens = Path(configuration.pool.command_tokens)
    if configuration.pool.command_tokens and tokens.exists():
        if not tokens.is_dir() or not os.access(tokens, os.R_OK | os.X_OK):
            found.append(f"pool.command_tokens is {tokens}: expected a directory that this user may read.")
        else:
            found += [
                f"pool.command_tokens has {path}: expected a token that this user may read."
                for path in sorted(tokens.iterdir())
                if path.is_file() and not os.access(path, os.R_OK)
            ]
    if configuration.monitoring:
        found += [
            f"monitoring.{name} is {getattr(configuration.monitoring, name)}: expected a file that this user may read."
            for name in ("password_file", "ca_file")
            if not os.access(getattr(configuration.monitoring, name), os.R_OK)
        ]
    return found


def halves(snapshot: PoolSnapshot) -> list[str]:
    """Pairs with one side alone."""
    found = []
    for pair in snapshot.pairs:
        if pair.regular is None:
            found.append(f"{pair.name} has a flocking startd and no ad of its regular one: expected both.")
        elif pair.flocking is None:
            found.append(f"{pair.name} has no ad of a flocking startd that names it (FlockHost): expected one.")
    return found


def check(configuration: Configuration, *, offline: bool) -> list[str]:
    """What is wrong with what a configuration names, a sentence each. ``offline``: the pool is not asked."""
    found = _files(configuration)
    if offline:
        return found
    try:
        cycle = prepare(configuration, log=journal.silent)
    except CondorError as error:
        return [*found, f"the pool cannot be asked: {error}."]
    report = cycle.run(plan=True)
    cycle.close()
    if report.error or report.snapshot is None:
        return [*found, f"{report.error}."]
    if not report.snapshot.pairs:
        found.append("the pool has no pair of a regular and a flocking startd: expected at least one.")
    if not report.snapshot.access_points:
        found.append("the collector has no ad of a local access point: expected at least one (scope.access_points).")
    missing = [point.name for point in report.snapshot.access_points if not point.heard]
    found += [f"scope.access_points has {name}: expected an access point that the collector knows." for name in missing]
    return found + halves(report.snapshot)
