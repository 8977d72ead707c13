"""The flocking image: which packages, which files, and an archive whose id depends on nothing else."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.image import archive, build, layer, packages, selection
from ansible_collections.sheepfold.htcondor.plugins.modules import image_build

from tests.unit.conftest import Run

STATUS = """\
Package: condor
Status: install ok installed
Depends: libc6 (>= 2.38), python3:any, perl:any | perl-base, libdate-manip-perl, adduser, libssl3t64

Package: libc6
Status: install ok installed
Depends: libgcc-s1

Package: libgcc-s1
Status: install ok installed
Description: a
 Package: nothing

Package: libssl3t64
Status: install ok installed
Provides: libssl3 (= 3), ssl-engine
Pre-Depends: libc6

Package: adduser
Status: install ok installed
Depends: passwd

Package: python3
Status: install ok installed
Depends: missing | ssl-engine, python3-minimal

Package: python3-minimal
Status: install ok installed

Package: gone
Status: deinstall ok config-files
"""


def test_status_is_read_with_continuations_and_without_removed_packages() -> None:
    found = packages.parse_status(STATUS)
    assert set(found) == {"condor", "libc6", "libgcc-s1", "libssl3t64", "adduser", "python3", "python3-minimal"}
    assert found["libssl3t64"].depends == (("libc6",),)
    assert found["libssl3t64"].provides == {"libssl3", "ssl-engine"}


def test_an_execution_point_needs_no_interpreter() -> None:
    found = packages.parse_status(STATUS)
    assert packages.closure(found, ["condor"]) == {"condor", "libc6", "libgcc-s1", "libssl3t64"}


def test_what_the_site_asks_for_comes_with_all_it_needs() -> None:
    found = packages.parse_status(STATUS)
    assert packages.closure(found, ["python3"]) == {"python3", "python3-minimal", "libssl3t64", "libc6", "libgcc-s1"}


def test_a_package_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="fortran"):
        packages.closure(packages.parse_status(STATUS), ["fortran"])


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("usr/sbin/condor_startd", True),
        ("usr/sbin/condor_schedd", False),
        ("usr/bin/perl", False),
        ("usr/bin/setpriv", True),
        ("usr/bin/su", False),
        ("usr/lib/unowned.cache", False),
        ("etc/passwd", True),
        ("etc/shadow", False),
        ("etc/machine-id", False),
        ("var/lib/apt/lists/x", False),
        ("etc/condor/config.d/00-htcondor-9.0.config", False),
    ],
)
def test_files_of_the_image(path: str, kept: bool) -> None:
    owned = {
        "usr/sbin/condor_startd": {"condor"},
        "usr/sbin/condor_schedd": {"condor"},
        "usr/bin/perl": {"perl-base"},
        "usr/bin/setpriv": {"util-linux"},
        "usr/bin/su": {"util-linux"},
        "etc/condor/config.d/00-htcondor-9.0.config": {"condor"},
    }
    assert selection.wanted(path, owned, {"condor", "util-linux"}) is kept


def test_paths_of_merged_directories_are_one() -> None:
    assert {selection.canonical(path) for path in ("/bin/sh", "./bin/sh", "/usr/bin/sh")} == {"usr/bin/sh"}
    assert selection.canonical("./etc/.pwd.lock") == "etc/.pwd.lock"
    assert selection.canonical("./bin") == "bin"


def test_links_to_nothing_go_also_by_way_of_others() -> None:
    links = {
        "usr/bin/awk": "/etc/alternatives/awk",
        "etc/alternatives/awk": "/usr/bin/mawk",
        "usr/bin/a": "b",
        "usr/bin/b": "/gone",
    }
    assert selection.dangling(links, {"usr/bin/mawk"}) == {"usr/bin/a", "usr/bin/b"}


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"#!/usr/bin/env -S perl -w\nx", "perl"), (b"#! /usr/bin/python3 -s\n", "python3"), (b"\x7fELF", ""), (b"#!", "")],
)
def test_interpreter_of_a_script(head: bytes, name: str) -> None:
    assert selection.interpreter(head) == name


def _root(path: Path) -> None:
    """A root file system as mmdebstrap leaves one, small."""
    essentials = list(packages.JOB_PACKAGES)
    status = STATUS + "".join(f"\nPackage: {name}\nStatus: install ok installed\n" for name in essentials)
    files = {
        "var/lib/dpkg/status": (status, 0o644),
        "var/lib/dpkg/info/condor.list": (
            "/.\n/usr/sbin\n/usr/sbin/condor_master\n/usr/sbin/condor_schedd\n/usr/bin/condor_script\n",
            0o644,
        ),
        "var/lib/dpkg/info/dash.list": ("/bin/sh\n/usr/bin/su\n", 0o644),
        "etc/passwd": ("root:x:0:0::/root:/bin/sh\n", 0o644),
        "etc/group": ("root:x:0:\n", 0o644),
        "etc/shadow": ("root:*:\n", 0o640),
        "usr/sbin/condor_master": ("\x7fELF", 0o755),
        "usr/sbin/condor_schedd": ("\x7fELF", 0o755),
        "usr/bin/condor_script": ("#!/usr/bin/perl\n", 0o755),
        "usr/bin/sh": ("\x7fELF", 0o755),
        "usr/bin/su": ("\x7fELF", 0o4755),
    }
    with tarfile.open(path, "w") as tar:
        for name in ("", "etc", "usr", "usr/bin", "usr/sbin", "var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/info"):
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content.encode("latin-1")))


def test_the_layer_holds_the_execution_point_and_nothing_else(tmp_path: Path) -> None:
    _root(tmp_path / "root.tar")
    with (tmp_path / "layer.tar").open("wb") as out:
        contents = layer.write_layer(tmp_path / "root.tar", out, [])
    with tarfile.open(tmp_path / "layer.tar") as tar:
        members = {member.name: member for member in tar}
        passwd = tar.extractfile("etc/passwd")
        status = tar.extractfile("var/lib/dpkg/status")
        assert passwd is not None and status is not None
        assert b"flockslot16:x:60016:60016::/nonexistent:/usr/sbin/nologin\n" in passwd.read()
        assert b"python3" not in status.read().replace(b"python3:any", b"")
    assert "usr/sbin/condor_master" in members and "usr/bin/sh" in members
    assert not {"usr/sbin/condor_schedd", "usr/bin/condor_script", "etc/shadow", "var/lib/dpkg/info/dash.list"} & set(members)
    assert members["usr/bin/su"].mode == 0o755, "set-id bits are dropped"
    assert members["tmp"].mode == 0o1777
    assert members["var/lib/condor/execute"].uid == layer.CONDOR_ID
    assert "condor" in contents.packages and "python3" not in contents.packages


def test_the_same_packages_give_the_same_image_and_another_label_another(tmp_path: Path) -> None:
    _root(tmp_path / "root.tar")
    ids = []
    for number, label in enumerate(("one", "one", "two")):
        path = tmp_path / f"layer{number}.tar"
        with path.open("wb") as out:
            layer.write_layer(tmp_path / "root.tar", out, [])
        ids.append(archive.write_archive(path, tmp_path / f"image{number}.tar.gz", "amd64", label))
    assert ids[0] == ids[1] != ids[2]


def test_the_archive_is_what_docker_loads(tmp_path: Path) -> None:
    (tmp_path / "layer.tar").write_bytes(b"\0" * 1024)
    image = archive.write_archive(tmp_path / "layer.tar", tmp_path / "image.tar.gz", "amd64", "x")
    with gzip.open(tmp_path / "image.tar.gz") as stream, tarfile.open(fileobj=stream) as tar:
        manifest = json.loads((tar.extractfile("manifest.json") or io.BytesIO()).read())
        config = (tar.extractfile(manifest[0]["Config"]) or io.BytesIO()).read()
    assert f"sha256:{manifest[0]['Config'].removesuffix('.json')}" == image
    assert json.loads(config)["rootfs"]["diff_ids"] == [archive.digest(tmp_path / "layer.tar")]


def _definition(**changes: object) -> build.ImageDefinition:
    values: dict[str, object] = {"suite": "trixie", "extra_packages": (), "mirror": "", "edition": "", "machine": "x86_64"}
    return build.ImageDefinition(**{**values, **changes})  # type: ignore[arg-type]


def test_each_part_of_the_definition_makes_another_image() -> None:
    keys = {
        definition.key()
        for definition in (
            _definition(),
            _definition(suite="sid"),
            _definition(extra_packages=("python3",)),
            _definition(mirror="file:/m"),
            _definition(edition="2026-11"),
            _definition(machine="aarch64"),
        )
    }
    assert len(keys) == 6


def test_a_cache_without_the_archive_is_no_cache(tmp_path: Path) -> None:
    directory = tmp_path / f"flock-image-{_definition().key()}"
    directory.mkdir()
    facts = {"id": "sha256:1", "unpacked_mib": 1.0, "archive_mib": 1.0, "packages": []}
    (directory / "image.json").write_text(json.dumps(facts))
    assert build.cached(_definition(), tmp_path) is None
    (directory / "image.tar.gz").touch()
    found = build.cached(_definition(), tmp_path)
    assert found is not None and found.id == "sha256:1"


def test_the_module_builds_once_and_predicts(run_module, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    calls: list[list[str]] = []

    def mmdebstrap(command: list[str]) -> None:
        calls.append(command)
        _root(Path(command[command.index("trixie") + 1]))

    monkeypatch.setattr(build, "_run", mmdebstrap)
    monkeypatch.setattr(build.shutil, "which", lambda name: f"/usr/bin/{name}")
    predicted = run_module(image_build.main, cache=str(tmp_path), _ansible_check_mode=True)
    assert predicted["changed"] and predicted["image"]["id"] == "" and not calls
    first = run_module(image_build.main, cache=str(tmp_path))
    again = run_module(image_build.main, cache=str(tmp_path))
    assert first["changed"] and not again["changed"]
    assert first["image"] == again["image"]
    assert len(calls) == 1 and calls[0][0] == "mmdebstrap"
    assert Path(first["image"]["archive"]).is_file()
    assert [path.name for path in tmp_path.iterdir()] == [f"flock-image-{_definition().key()}"], "nothing is left over"


def test_check_mode_fails_where_the_image_cannot_be_built(
    run_module: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = run_module(image_build.main, cache=str(tmp_path), _ansible_check_mode=True)
    assert answer["failed"]
    assert answer["msg"] == "The flocking image cannot be built: mmdebstrap is not installed on the host that builds the image"
    (tmp_path / "mmdebstrap").touch(0o755)
    assert run_module(image_build.main, cache=str(tmp_path / "new"), _ansible_check_mode=True)["changed"]
    (tmp_path / "file").touch()
    answer = run_module(image_build.main, cache=str(tmp_path / "file" / "cache"), _ansible_check_mode=True)
    assert answer["msg"].startswith(f"The flocking image cannot be built: the cache {tmp_path}/file/cache cannot be written")


def test_a_failing_build_says_so_and_leaves_no_image(run_module, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    def mmdebstrap(command: list[str]) -> None:
        raise build.BuildError("mmdebstrap ended with status 1", "E: no such suite")

    monkeypatch.setattr(build, "_run", mmdebstrap)
    answer = run_module(image_build.main, cache=str(tmp_path))
    assert answer["failed"] and "mmdebstrap ended with status 1" in answer["msg"] and "no such suite" in answer["stderr"]
    assert list(tmp_path.iterdir()) == []
