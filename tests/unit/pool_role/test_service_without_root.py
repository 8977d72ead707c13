"""place-credentials: what condor.service has of tokens and keys, and where."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "roles" / "pool" / "files" / "place-credentials"


def _place(credentials: Path, target: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(credentials)}
    return subprocess.run(["sh", SCRIPT, target], env=environment, capture_output=True, text=True, check=False)


def test_each_kind_has_a_directory_of_its_own(tmp_path: Path) -> None:
    credentials, target = tmp_path / "credentials", tmp_path / "run"
    credentials.mkdir()
    target.mkdir()
    for name in ("site-keys_POOL", "site-tokens_of the_site", "flock-keys_flock"):
        (credentials / name).write_text(name)
        (credentials / name).chmod(0o440)
    assert _place(credentials, target).returncode == 0
    there = {str(path.relative_to(target)): path for path in target.rglob("*") if path.is_file()}
    assert {name: path.read_text() for name, path in there.items()} == {
        "site-keys/POOL": "site-keys_POOL",
        "site-tokens/of the_site": "site-tokens_of the_site",
        "flock-keys/flock": "flock-keys_flock",
    }
    # HTCondor refuses a file that others may read.
    assert {stat.S_IMODE(path.stat().st_mode) for path in there.values()} == {0o400}
    assert {stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()} == {0o700}


def test_a_second_start_has_what_changed(tmp_path: Path) -> None:
    credentials, target = tmp_path / "credentials", tmp_path / "run"
    credentials.mkdir()
    target.mkdir()
    for content in ("old", "new"):
        (credentials / "site-keys_POOL").write_text(content)
        assert _place(credentials, target).returncode == 0
    assert (target / "site-keys/POOL").read_text() == "new"


def test_none_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    done = _place(tmp_path / "credentials", tmp_path)
    assert (done.returncode, done.stderr) == (1, "systemd has handed no credentials to this service\n")
