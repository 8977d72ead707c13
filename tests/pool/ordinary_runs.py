"""Runs the ordinary jobs on a site's execute point, and says what came of each."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from condor_harness.world import find, wait_for
from execute_point import EXECUTE, ExecutePoint
from ordinary_jobs import GO, HOLD, JOBS, READY, REMOVE, SUSPEND, VACATE, Ordinary

CONFIG = """
NUM_CPUS = 8
JOB_RENICE_INCREMENT = 3
"""
"""The execute point's, besides what every one has."""

CENTRAL = "PERIODIC_EXPR_INTERVAL = 2\nMAX_PERIODIC_EXPR_INTERVAL = 2\n"
"""The access point's: the rules of jobs are looked at as often as a test needs."""

_REMOVED, _COMPLETED, _HELD = 3, 4, 5
_ENDS = {"completed": _COMPLETED, "removed": _REMOVED, "held": _HELD}
_COMPARED = (
    "JobStatus",
    "ExitCode",
    "ExitBySignal",
    "ExitSignal",
    "JobCoreDumped",
    "HoldReasonCode",
    "HoldReasonSubCode",
    "NumJobStarts",
    "NumShadowStarts",
    "NumVacates",
    "Greeting",
    "BytesSent",
    "BytesRecvd",
)
_PATIENCE = 240
_LEFT = "left the queue"
_IMAGE_SIZE = "006"
"""The event of a job's size: it comes when the starter happens to look."""


class Result(dict[str, object]):
    """What came of a job, each thing by its name: an attribute, ``events``, or a file's path."""


def run(site: ExecutePoint, jobs: Sequence[Ordinary] = JOBS, user: str = "alice") -> list[Result]:
    """Run jobs, all at once, to their ends; what came of each."""
    homes = [f"/home/{user}/{number:02}" for number in range(1, len(jobs) + 1)]
    site.cm.configure(CENTRAL, "60-rules.conf")
    site.cm.reconfig()
    clusters = [_submit(site, job, home, user) for job, home in zip(jobs, homes)]
    _see_to_the_end(site, dict(zip(clusters, jobs)))
    ads = _ads(site, clusters)
    return [_result(ads[cluster], site.world.root / home.lstrip("/")) for cluster, home in zip(clusters, homes)]


def differences(one: Result, other: Result) -> list[str]:
    """What is not the same, one sentence for each."""
    names = sorted({*one, *other})
    return [f"{name}: {one.get(name)!r} and {other.get(name)!r}" for name in names if one.get(name) != other.get(name)]


def summary(result: Mapping[str, object]) -> str:
    """A few words about a result."""
    words = {_REMOVED: "removed", _COMPLETED: "completed", _HELD: "held"}.get(int(str(result["JobStatus"])), "?")
    if result["ExitBySignal"]:
        words += f", signal {result['ExitSignal']}"
    elif result["ExitCode"] is not None:
        words += f", exit {result['ExitCode']}"
    if result["HoldReasonCode"] is not None:
        words += f", code {result['HoldReasonCode']}"
    return f"{words}, {sum('/' in name for name in result)} files"


def table(jobs: Sequence[Ordinary], without: Sequence[Result], with_: Sequence[Result]) -> str:
    """A line for each job, and one that counts them."""
    rows = [("job", "without", "with", "same")]
    same = 0
    for job, one, other in zip(jobs, without, with_):
        equal = not differences(one, other)
        same += equal
        rows.append((job.name, summary(one), summary(other), "yes" if equal else "NO"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [" | ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]) for row in rows]
    return "\n".join([*lines, f"{len(jobs)} jobs, {same} the same"])


def _submit(site: ExecutePoint, job: Ordinary, home: str, user: str) -> str:
    directory = site.world.root / home.lstrip("/")
    directory.mkdir()
    for name, text in {**({"job.sh": job.text} if job.script else {}), **job.files}.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o755 if name == "job.sh" else 0o644)
    site.world.run(["chown", "-R", f"{user}:", home])
    answer = site.cm.run(["condor_submit", "-terse", "-"], user=user, input=job.description, cwd=home)
    return answer.stdout.split(".")[0]


def _see_to_the_end(site: ExecutePoint, jobs: Mapping[str, Ordinary]) -> None:
    """Do to the jobs what is to be done, and wait until each is where it ends."""
    done: dict[str, str] = {}

    def all_ended() -> bool:
        ads = _ads(site, jobs)
        for cluster, job in jobs.items():
            status = ads.get(cluster, {}).get("JobStatus")
            if job.act and (status == _HELD or cluster in _waiting(site, jobs)):
                _act(site, cluster, job, status, done)
        return all(_ended(ads[cluster], job) for cluster, job in jobs.items())

    try:
        wait_for(all_ended, "the ends of all jobs", _PATIENCE, 0.5)
    except AssertionError as error:
        ads = _ads(site, jobs)
        late = [f"{job.name} {ads[cluster]}" for cluster, job in jobs.items() if not _ended(ads[cluster], job)]
        raise AssertionError(f"{error}: {'; '.join(late)}\n{site.pool.tails()}") from None


def _ended(ad: Mapping[str, Any], job: Ordinary) -> bool:
    """Whether all has come of a job: one that is removed says so from the request on, as long as its processes go on."""
    return ad.get("JobStatus") == _ENDS[job.ends] and (job.ends == "held" or _LEFT in ad)


def _waiting(site: ExecutePoint, jobs: Mapping[str, Ordinary]) -> dict[str, Path]:
    """The sandboxes in which jobs wait."""
    return {
        cluster: ready.parent
        for ready in find(site.world.root / EXECUTE.lstrip("/"), f"{READY}*")
        for cluster, job in jobs.items()
        if ready.name == READY + job.name
    }


def _act(site: ExecutePoint, cluster: str, job: Ordinary, status: int | None, done: dict[str, str]) -> None:
    """Do the next thing to a job."""
    before, done[cluster] = done.get(cluster, ""), job.act
    if job.act == SUSPEND and not before:
        site.cm.run(["condor_suspend", cluster])
        site.pool.wait(site.frozen, "a frozen control group")
        site.resume(cluster)
        site.pool.wait(lambda: not site.frozen(), "a control group that runs again")
    elif job.act == HOLD and not before:
        site.cm.run(["condor_hold", cluster])
    elif job.act == HOLD and status == _HELD:
        site.cm.run(["condor_release", cluster])
    elif job.act == REMOVE and not before:
        site.cm.run(["condor_rm", cluster])
    elif job.act == VACATE and not before:
        site.cm.run(["condor_vacate_job", cluster])
    else:
        for sandbox in _waiting(site, {cluster: job}).values():
            (sandbox / GO).touch()


def _ads(site: ExecutePoint, clusters: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Of every job the ad, in the queue or out of it."""
    found: dict[str, dict[str, Any]] = {}
    # In this order: none is missed that goes from the one to the other meanwhile.
    for tool in (["condor_q", "-allusers"], ["condor_history"]):
        answer = site.cm.run([*tool, "-json", "-attributes", ",".join(["ClusterId", "HoldReason", *_COMPARED])], check=False)
        if answer.rc == 0 and answer.stdout.strip():
            left = {_LEFT: True} if tool == ["condor_history"] else {}
            found |= {str(ad["ClusterId"]): {**ad, **left} for ad in json.loads(answer.stdout)}
    return {cluster: found.get(cluster, {}) for cluster in clusters}


def _result(ad: Mapping[str, Any], home: Path) -> Result:
    result = Result({name: ad.get(name) for name in _COMPARED})
    result["events"] = sorted(set(re.findall(r"^(\d{3}) \(", (home / "log").read_text(), re.MULTILINE)) - {_IMAGE_SIZE})
    for directory, directories, files in os.walk(os.fsencode(home)):
        for name in (*directories, *files):
            path = Path(os.fsdecode(directory), os.fsdecode(name))
            below = str(path.relative_to(home))
            if below != "log":
                result[f"./{below}"] = _entry(path) if not below.startswith("core.") else stat.filemode(path.lstat().st_mode)
    return result


def _entry(path: Path) -> str:
    """A file's kind, mode and content, in words."""
    status = path.lstat()
    kind = stat.filemode(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return f"{kind} {str(path.readlink())!r}"
    if not stat.S_ISREG(status.st_mode):
        return kind
    content = path.read_bytes()
    return f"{kind} {content.decode(errors='replace') if len(content) < 4000 else hashlib.sha256(content).hexdigest()}"
