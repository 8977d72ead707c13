# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Job traces: what was submitted when, and how long it ran. Pure: lines in, jobs out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


class TraceError(ValueError):
    """A line that cannot be read; the message names it."""


@dataclass(frozen=True)
class TraceJob:
    """One job of a trace. Times in seconds; where they count from does not matter."""

    submitted: int
    run: int
    cores: int = 1


_COLUMNS = 18


def swf(lines: Iterable[str], *, split: bool = True) -> Iterator[TraceJob]:
    """Jobs of a log in the Standard Workload Format, in its order.

    Columns 2, 4, 5 and 8 are read: submit time, run time, allocated and requested processors (the format's definition is in the
    Parallel Workloads Archive).
    Jobs whose run time is not known, or that never ran, are left out. ``split``: a parallel job becomes single-core ones, as
    HTCondor's vanilla universe has them. Raises TraceError.
    """
    for number, line in enumerate(lines, 1):
        words = line.split(";", 1)[0].split()
        if not words:
            continue
        try:
            if len(words) != _COLUMNS:
                raise ValueError
            submitted, run, allocated, requested = (int(float(words[column])) for column in (1, 3, 4, 7))
        except ValueError:
            raise TraceError(f"line {number} is {line.strip()!r}: expected {_COLUMNS} numbers (SWF).") from None
        cores = allocated if allocated > 0 else requested
        if run <= 0 or cores <= 0:
            continue
        if split:
            for _core in range(cores):
                yield TraceJob(submitted, run)
        else:
            yield TraceJob(submitted, run, cores)


def history(lines: Iterable[str]) -> Iterator[TraceJob]:
    """Jobs of ``condor_history -json:jsonl``-like lines, an ad each, with QDate, RemoteWallClockTime and RequestCpus (default 1).

    Jobs that never ran are left out. Raises TraceError.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            ad = json.loads(line)
            submitted, run, cores = int(ad["QDate"]), int(ad["RemoteWallClockTime"]), int(ad.get("RequestCpus", 1))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise TraceError(
                f"line {number} is {line.strip()[:80]!r}: expected a job's ad as JSON, with QDate and RemoteWallClockTime."
            ) from None
        if run > 0 and cores > 0:
            yield TraceJob(submitted, run, cores)
