"""What the keeper asks a service for."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.drivers import userv_request
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.ipc import framing
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.isolation.program import Program
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.linux import open_files

WORDS = [b"/bin/sh", b"", b"a\nb", b"\xff"]
ENVIRONMENT = {b"A": b"x\ny=z", b"B": b"", b"\xff": b"\xfe"}


def _request() -> userv_request.Request:
    program = Program(WORDS, ENVIRONMENT, "/sand box/dir", [13, 25])
    files = [open_files.OpenFile(1, os.O_WRONLY | os.O_APPEND, 7, (8, 9), "/sand box/out put")]
    return userv_request.Request("/sand box", program, ["umask=18", "NOFILE=10,20"], files)


def test_a_request_survives_its_packing() -> None:
    reader, writer = os.pipe()
    os.write(writer, userv_request.pack(_request()))
    found = userv_request.from_fields(framing.read(reader))
    os.close(reader)
    os.close(writer)
    assert (found.sandbox, found.inherited) == ("/sand box", ["umask=18", "NOFILE=10,20"])
    program = found.program
    assert (program.words, program.environment) == (WORDS, ENVIRONMENT)
    assert (program.directory, program.ignored) == ("/sand box/dir", [13, 25])
    [file] = found.files
    assert (file.number, file.flags, file.position) == (1, os.O_WRONLY | os.O_APPEND, 7)
    assert (file.identity, file.path) == ((8, 9), "/sand box/out put")


@pytest.mark.parametrize("length", [0, 3, 9, 60])
def test_a_request_cut_short_is_refused(length: int) -> None:
    reader, writer = os.pipe()
    os.write(writer, userv_request.pack(_request())[:length])
    os.close(writer)
    with pytest.raises(ValueError, match="cut short"):
        framing.read(reader)
    os.close(reader)


def test_a_request_too_long_is_refused_unread() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"\xff\xff\xff\xff")
    with pytest.raises(ValueError, match="at most"):
        framing.read(reader)
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    "fields", [[], [b"/x"] * 5, [b"/x", b"/", b"", b"", b"", b"0"], [b"/x", b"/", b"", b"", b"", b"2", b"a"]]
)
def test_requests_that_make_no_sense_are_refused(fields: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"fields|words"):
        userv_request.from_fields(fields)


def test_a_file_of_another_number_is_refused() -> None:
    with pytest.raises(ValueError, match="standard descriptor"):
        open_files.unpack(b"3 1 0 8 9 /x")


def test_a_file_is_opened_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_text("0123456789")
    status = path.stat()
    read = "import os, sys; sys.stdout.write(os.read(0, 3).decode())"
    run = subprocess.run(
        [sys.executable, "-c", read],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=open_files.OpenFile(0, os.O_RDONLY, 4, (status.st_dev, status.st_ino), str(path)).open,
    )
    assert run.stdout == b"456"
    other = open_files.OpenFile(0, os.O_RDONLY, 0, (status.st_dev, status.st_ino + 1), str(path))
    with pytest.raises(OSError, match="another file"):
        other.open()


def test_a_link_in_a_files_place_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.touch()
    status = path.stat()
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="levels of symbolic links"):
        open_files.OpenFile(0, os.O_RDONLY, 0, (status.st_dev, status.st_ino), str(tmp_path / "link")).open()


def test_what_is_inherited_is_taken() -> None:
    assert {each.partition("=")[0] for each in userv_request.inherited()} >= {
        "umask",
        "nice",
        "processors",
        "badness",
        "NOFILE",
        "CORE",
    }
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    child = os.fork()
    if child == 0:
        userv_request.inherit(["umask=63", "nice=5", f"NOFILE=64,{hard}"])
        right = os.umask(0) == 0o077 and os.nice(0) >= 5 and resource.getrlimit(resource.RLIMIT_NOFILE) == (64, hard)
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)


@pytest.mark.parametrize("value", ["colour=1", "umask=x", "NOFILE"])
def test_what_cannot_be_inherited_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"inherited|invalid literal"):
        userv_request.inherit([value])


def test_only_what_can_be_opened_again_is_handed_on(tmp_path: Path) -> None:
    (tmp_path / "in").touch()
    inside = os.open(tmp_path / "in", os.O_RDONLY)
    gone = os.open(tmp_path / "gone", os.O_WRONLY | os.O_CREAT)
    (tmp_path / "gone").unlink()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(inside, 0)
        os.dup2(gone, 1)
        os.dup2(writer, 2)
        found = [(file.number, file.path) for file in open_files.of_process(str(tmp_path))]
        null = os.open(open_files.NULL, os.O_RDWR)
        os.dup2(null, 1)
        found += [(file.number, file.path) for file in open_files.of_process(str(tmp_path / "elsewhere"))]
        os._exit(0 if found == [(0, str(tmp_path / "in")), (1, open_files.NULL)] else 1)
    for each in (inside, gone, reader, writer):
        os.close(each)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
