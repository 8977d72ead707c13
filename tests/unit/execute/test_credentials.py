"""Credentials: who may read the daemons' ones, and whose a job's own are."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute import exposure
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.linux import coredump, dirtree
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.sandbox import handover, job_tokens, layout

ACCOUNT, DAEMONS = handover.Owner(2100001, 2100001), handover.Owner(2100900, 2100901)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners")


@pytest.mark.parametrize(
    ("directory", "file", "said"),
    [
        (0o700, 0o644, ""),
        (0o755, 0o600, ""),
        (0o755, 0o644, "everybody"),
        (0o711, 0o604, "everybody"),
        (0o750, 0o640, "its group"),
        (0o750, 0o604, ""),
    ],
)
def test_open_secrets_are_said(tmp_path: Path, directory: int, file: int, said: str) -> None:
    place = tmp_path / "tokens.d"
    place.mkdir()
    (place / "site").touch()
    (place / "site").chmod(file)
    place.chmod(directory)
    assert exposure.exposed([str(place), "/nonexistent"]) == ({f"{place}/site": said} if said else {})


def test_a_file_by_itself_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    (tmp_path / "key").chmod(0o644)
    assert exposure.exposed([str(tmp_path / "key")]) == {f"{tmp_path}/key": "everybody"}


@needs_root
def test_tokens_stay_where_they_are_renewed(tmp_path: Path) -> None:
    box = tmp_path / "dir_1"
    tokens = box / job_tokens.DIRECTORY
    tokens.mkdir(parents=True)
    (tokens / "a.use").write_text("one")
    (tokens / "a.use").chmod(0o600)
    for path in (box, tokens, tokens / "a.use"):
        os.chown(path, DAEMONS.uid, DAEMONS.gid)
    handover.hand_over(str(box), ACCOUNT, DAEMONS)
    assert (tokens.stat().st_uid, (tokens / "a.use").stat().st_uid) == (DAEMONS.uid, ACCOUNT.uid)
    seen = box / layout.PRIVATE / layout.JOB / job_tokens.DIRECTORY
    assert list(seen.iterdir()) == []

    watch = job_tokens.watch(str(box))
    (tokens / "new").write_text("two")
    os.chown(tokens / "new", DAEMONS.uid, DAEMONS.gid)
    (tokens / "new").chmod(0o600)
    (tokens / "new").rename(tokens / "a.use")
    assert os.read(watch, 4096)
    handover.renew_tokens(str(box), ACCOUNT)
    status = (tokens / "a.use").stat()
    assert (status.st_uid, status.st_mode & 0o777) == (ACCOUNT.uid, 0o600)

    (seen / "of the job").touch()
    handover.hand_back(str(box), ACCOUNT, DAEMONS)
    assert {path.stat().st_uid for path in (tokens, *tokens.iterdir())} == {DAEMONS.uid}
    assert [path.name for path in tokens.iterdir()] == ["a.use"]


def test_a_link_is_no_directory_for_tokens(tmp_path: Path) -> None:
    (tmp_path / job_tokens.DIRECTORY).symlink_to("/etc")
    top = dirtree.open_directory(str(tmp_path))
    assert not job_tokens.are_in(top)
    job_tokens.give(top, ACCOUNT.uid, ACCOUNT.gid)
    os.close(top)
    assert Path("/etc/passwd").stat().st_uid == 0
    (tmp_path / job_tokens.DIRECTORY).unlink()
    assert job_tokens.watch(str(tmp_path)) == -1


def test_the_switch_leaves_no_core_and_the_job_may() -> None:
    pid = os.fork()
    if pid == 0:
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        coredump.leave_none()
        none = resource.getrlimit(resource.RLIMIT_CORE) == (0, hard)
        coredump.restore()
        os._exit(0 if none and coredump.limit() == resource.getrlimit(resource.RLIMIT_CORE) == (soft, hard) else 1)
    assert os.waitpid(pid, 0)[1] == 0
