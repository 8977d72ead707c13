"""Access control lists in the kernel's form."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.linux import posix_acl

# linux/posix_acl_xattr.h: version 2; user::rw-, user:1000:r-x, group::r--, mask::r-x, other::---
KERNELS = bytes.fromhex(
    "02000000 01000600ffffffff 02000500e8030000 04000400ffffffff 10000500ffffffff 20000000ffffffff".replace(" ", "")
)


def test_a_list_has_the_kernels_form() -> None:
    entries = posix_acl.with_user(posix_acl.of_mode(0o640), 1000, 5)
    assert posix_acl.pack(entries) == KERNELS
    assert posix_acl.unpack(KERNELS) == entries
    assert posix_acl.mode_of(entries) == 0o640
    assert posix_acl.named_user(entries) == 1000
    assert posix_acl.names_user(entries, 1000)
    assert not posix_acl.names_user(entries, 1001)
    assert posix_acl.named_user(posix_acl.of_mode(0o777)) is None


@pytest.mark.parametrize("data", [b"", b"\1\0\0\0", KERNELS[:-1], b"\0" * 12])
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="version 2"):
        posix_acl.unpack(data)


def test_the_kernel_takes_a_list_and_gives_it_back(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o640)
    assert posix_acl.read(str(file)) is None
    entries = posix_acl.with_user(posix_acl.of_mode(0o640), 1234, 6)
    posix_acl.write(str(file), entries)
    assert posix_acl.read(str(file)) == entries
    assert stat.S_IMODE(file.stat().st_mode) == 0o660
    posix_acl.remove(str(file))
    assert posix_acl.read(str(file)) is None


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    assert posix_acl.read(str(tmp_path / "link")) is None
    with pytest.raises(OSError, match="not supported"):
        posix_acl.write(str(tmp_path / "link"), posix_acl.with_user(posix_acl.of_mode(0o777), 1234, 7))
    assert os.listxattr(tmp_path / "file") == []
