"""Whose a range of ids is already."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.accounts import taken
from ansible_collections.sheepfold.htcondor.plugins.module_utils.accounts.subordinate import Range


def test_accounts_groups_and_others_ranges_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "subuid").write_text("bob:1879048000:65536\nflockremap:1879048192:65536\n# x\n")
    monkeypatch.setattr(taken, "FILES", (str(tmp_path / "subuid"), str(tmp_path / "subgid")))
    assert list(taken.taken(Range("flockremap", 1879048192, 65536))) == [f"bob:1879048000:65536 in {tmp_path}/subuid"]
    own = pwd.getpwuid(os.getuid())
    found = list(taken.taken(Range("flockremap", own.pw_uid, 1)))
    assert f"account {own.pw_name} ({own.pw_uid})" in found
    assert f"group {own.pw_name} ({own.pw_gid})" in found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("[sssd]\ndomains = a\n[domain/a]\nid_provider = ldap\n", []),
        ("[domain/a]\nid_provider = ad\n", [Range("a", 200000, 2000000000)]),
        ("[domain/a]\nid_provider = ad\nldap_id_mapping = False\n", []),
        (
            "[domain/a]\nid_provider = ldap\nldap_id_mapping = true\nldap_idmap_range_min = 500000\n",
            [Range("a", 500000, 1999700000)],
        ),
        ("[domain/a]\nid_provider = ad\nldap_idmap_range_max = 1000000\n[domain/b]\n", [Range("a", 200000, 800000)]),
        ("no section = 1\n", []),
    ],
)
def test_sssd_says_where_it_takes_ids_from(tmp_path: Path, text: str, found: list[Range]) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "sssd.conf").write_text("[sssd]\n")
    (tmp_path / "conf.d" / "10-a.conf").write_text(text)
    (tmp_path / "conf.d" / ".hidden.conf").write_text("[domain/hidden]\nid_provider = ad\n")
    assert taken.sssd_ranges((tmp_path / "sssd.conf", tmp_path / "conf.d")) == found
    assert taken.sssd_ranges((tmp_path / "none",)) == []
