"""Programs that cannot be executed: without the switch HTCondor holds their jobs, with it they wait and say the same why."""

from __future__ import annotations

from typing import Any

import left_behind
import pytest
import switch_site
from execute_point import ExecutePoint

_IDLE, _HELD = 1, 5
_MISSING, _DENIED, _FORMAT = "No such file or directory", "Permission denied", "Exec format error"


def _submit(site: ExecutePoint, program: str) -> str:
    (site.world.root / "home/alice/log").unlink(missing_ok=True)
    if program.startswith("/"):
        return site.submit(program)
    return site.shell(program)


def _tried(site: ExecutePoint, cluster: str) -> dict[str, Any]:
    def ad() -> dict[str, Any]:
        job = site.pool.job(site.cm, cluster)
        stopped = job.get("JobStatus") == _HELD or (job.get("JobStatus") == _IDLE and job.get("VacateReason"))
        return job if stopped else {}

    return site.pool.wait(ad, f"job {cluster} held, or idle again", 60)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("/nonexistent/program", _MISSING),
        ("/usr/bin", _DENIED),
        ("/etc/passwd", _DENIED),
        ("/etc/passwd/below", "Not a directory"),
        ("#!/nonexistent/interpreter\n", _MISSING),
        ("#!/usr/bin\n", _DENIED),
        ("no interpreter's line\n", _FORMAT),
    ],
)
def test_the_owner_reads_why(site: ExecutePoint, plain: ExecutePoint, program: str, why: str) -> None:
    without = _tried(plain, _submit(plain, program))
    plain.cm.run(["condor_rm", "-all"])
    cluster = _submit(site, program)
    job = _tried(site, cluster)
    assert why in without["HoldReason"]
    assert f"cannot be executed: {why}" in job["VacateReason"]
    record = switch_site.record(site, cluster, "refused")
    assert record["SHEEPFOLD_CODE"] == "126"
    assert f"cannot be executed: {why}" in record["MESSAGE"]
    assert not switch_site.records(site, cluster, "end")
    left_behind.nothing(site, cluster)
