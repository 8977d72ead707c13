"""Access control lists in the kernel's form."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute import acl

# linux/posix_acl_xattr.h: version 2; user::rw-, user:1000:r-x, group::r--, mask::r-x, other::---
KERNELS = bytes.fromhex(
    "02000000 01000600ffffffff 02000500e8030000 04000400ffffffff 10000500ffffffff 20000000ffffffff".replace(" ", "")
)


def test_a_list_has_the_kernels_form() -> None:
    entries = acl.with_user(acl.of_mode(0o640), 1000, 5)
    assert acl.pack(entries) == KERNELS
    assert acl.unpack(KERNELS) == entries
    assert acl.mode_of(entries) == 0o640
    assert acl.named_user(entries) == 1000
    assert acl.names_user(entries, 1000)
    assert not acl.names_user(entries, 1001)
    assert acl.named_user(acl.of_mode(0o777)) is None


@pytest.mark.parametrize("data", [b"", b"\1\0\0\0", KERNELS[:-1], b"\0" * 12])
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="version 2"):
        acl.unpack(data)


def test_the_kernel_takes_a_list_and_gives_it_back(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o640)
    assert acl.read(str(file)) is None
    entries = acl.with_user(acl.of_mode(0o640), 1234, 6)
    acl.write(str(file), entries)
    assert acl.read(str(file)) == entries
    assert stat.S_IMODE(file.stat().st_mode) == 0o660
    acl.remove(str(file))
    assert acl.read(str(file)) is None


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    assert acl.read(str(tmp_path / "link")) is None
    with pytest.raises(OSError, match="not supported"):
        acl.write(str(tmp_path / "link"), acl.with_user(acl.of_mode(0o777), 1234, 7))
    assert os.listxattr(tmp_path / "file") == []
