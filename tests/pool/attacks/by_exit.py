"""Exit codes of a job's own that are the switch's classes."""

from __future__ import annotations

from collections.abc import Callable

from .answer import Answer, answer
from .attack import Attack
from .ground import Ground


def _told_apart(expected: int) -> Callable[[Ground, str], Answer]:
    """Whether a job's own code can be told from the switch's: by its record, which only a job that ran has (``end``)."""

    def judge(ground: Ground, cluster: str) -> Answer:
        code = ground.site.pool.job(ground.site.cm, cluster).get("ExitCode")
        records = [record for record in ground.records() if record.get("SHEEPFOLD_JOB") == f"{cluster}.0"]
        ends = [record for record in records if record.get("SHEEPFOLD_EVENT") == "end"]
        told = [record.get("SHEEPFOLD_EXIT") for record in ends] == [f"exit {expected}"]
        refused = any(record.get("SHEEPFOLD_EVENT") == "refused" for record in records)
        return answer(code != expected or not told or refused, f"exit code {code}, and no record of whose it is")

    return judge


ATTACKS = [
    Attack(f"own-{code}", "exit codes 201-204", f"#!/bin/sh\nexit {code}\n", judge=_told_apart(code)) for code in (201, 202, 204)
]
