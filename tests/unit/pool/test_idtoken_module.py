"""Module idtoken, whole."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.pool.idtokens import read_token

RunModule = Callable[..., dict[str, Any]]

NODE = {"path": "f220/token", "key": "passwords.d/flock", "identity": "f220@flock.sips", "authorizations": ["READ"]}
COMMAND = {"path": "commands.d/f220", "key": "f220/passwords.d/f220", "identity": "flock-command@flock.sips"}


@pytest.fixture
def wish(tmp_path: Path) -> dict[str, Any]:
    return {
        "directory": str(tmp_path / "pool"),
        "trust_domain": "flock.sips",
        "keys": ["passwords.d/flock", "f220/passwords.d/f220"],
        "tokens": [NODE, COMMAND],
    }


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_makes_what_is_missing_for_root_alone(run_module: RunModule, wish: dict[str, Any], tmp_path: Path) -> None:
    result = run_module("idtoken", **wish)
    made = contents(tmp_path / "pool")
    assert result["changed"]
    assert set(made) == {"passwords.d/flock", "f220/passwords.d/f220", "f220/token", "commands.d/f220"}
    claims, identifier = read_token(made["f220/token"].decode(), made["passwords.d/flock"])
    assert (claims.identity, claims.trust_domain, claims.key_id, claims.authorizations) == (
        "f220@flock.sips",
        "flock.sips",
        "flock",
        ("READ",),
    )
    assert result["token_ids"]["f220/token"] == identifier
    assert read_token(made["commands.d/f220"].decode(), made["f220/passwords.d/f220"])[0].key_id == "f220"
    for path in (tmp_path / "pool").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert stat.S_IMODE((tmp_path / "pool").stat().st_mode) == 0o700


def test_second_run_changes_nothing(run_module: RunModule, wish: dict[str, Any], tmp_path: Path) -> None:
    first = run_module("idtoken", **wish)
    before = contents(tmp_path / "pool")
    second = run_module("idtoken", **wish)
    assert not second["changed"]
    assert second["token_ids"] == first["token_ids"]
    assert second["diff"]["before"] == second["diff"]["after"] != ""
    assert contents(tmp_path / "pool") == before


def test_check_mode_says_what_and_writes_nothing(run_module: RunModule, wish: dict[str, Any], tmp_path: Path) -> None:
    result = run_module("idtoken", check=True, **wish)
    assert result["changed"]
    assert result["token_ids"] == {"f220/token": "new", "commands.d/f220": "new"}
    assert "f220/token: f220@flock.sips at flock.sips for READ (new)" in result["diff"]["after"]
    assert not (tmp_path / "pool").exists()


def test_no_secret_leaves_the_module(run_module: RunModule, wish: dict[str, Any], tmp_path: Path) -> None:
    result = str(run_module("idtoken", **wish)) + str(run_module("idtoken", **wish))
    for secret in contents(tmp_path / "pool").values():
        assert secret.decode().strip() not in result


def test_a_token_that_says_something_else_is_renewed(run_module: RunModule, wish: dict[str, Any], tmp_path: Path) -> None:
    run_module("idtoken", **wish)
    before = contents(tmp_path / "pool")
    wish["tokens"] = [{**NODE, "authorizations": ["READ", "ADVERTISE_STARTD"]}, COMMAND]
    result = run_module("idtoken", **wish)
    after = contents(tmp_path / "pool")
    assert result["changed"]
    assert {name for name in after if after[name] != before[name]} == {"f220/token"}


@pytest.mark.parametrize(
    ("named", "renewed"),
    [("f220/token", {"f220/token"}), ("f220/passwords.d/f220", {"f220/passwords.d/f220", "commands.d/f220"})],
)
def test_rotation(run_module: RunModule, wish: dict[str, Any], tmp_path: Path, named: str, renewed: set[str]) -> None:
    run_module("idtoken", **wish)
    before = contents(tmp_path / "pool")
    assert run_module("idtoken", **wish, rotate=[named])["changed"]
    after = contents(tmp_path / "pool")
    assert {name for name in after if after[name] != before[name]} == renewed
    assert not run_module("idtoken", **wish)["changed"]


def test_a_departed_nodes_secrets_go_and_others_files_stay(run_module: RunModule, wish: dict[str, Any], tmp_path: Path) -> None:
    run_module("idtoken", **wish)
    kept = tmp_path / "pool/out/remote/60-flock.conf"
    kept.parent.mkdir(parents=True)
    kept.write_text("FLOCK_TO = x\n")
    wish |= {"keys": ["passwords.d/flock"], "tokens": [], "keep": ["out/remote/60-flock.conf"]}
    result = run_module("idtoken", **wish)
    assert result["changed"]
    assert set(contents(tmp_path / "pool")) == {"passwords.d/flock", "out/remote/60-flock.conf"}
    assert "f220" not in result["diff"]["after"]
    assert not (tmp_path / "pool/f220").exists()


def test_a_damaged_token_and_loose_permissions_are_mended(run_module: RunModule, wish: dict[str, Any], tmp_path: Path) -> None:
    run_module("idtoken", **wish)
    (tmp_path / "pool/f220/token").write_text("no token\n")
    (tmp_path / "pool/passwords.d/flock").chmod(0o644)
    result = run_module("idtoken", **wish)
    assert result["changed"]
    assert "f220/token: no token of this key" in result["diff"]["before"]
    assert stat.S_IMODE((tmp_path / "pool/passwords.d/flock").stat().st_mode) == 0o600
    assert not run_module("idtoken", **wish)["changed"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"keys": ["/etc/passwd"]}, "path is '/etc/passwd': expected a file in a subdirectory of directory, as directory/file"),
        ({"keys": ["../x/y"]}, "path is '../x/y': expected a file in a subdirectory of directory, as directory/file"),
        ({"keys": ["passwords.d/POOL"]}, "keys has 'passwords.d/POOL': expected another name than POOL"),
        ({"rotate": ["f221/token"]}, "rotate has 'f221/token': expected one of"),
        ({"tokens": [{**NODE, "key": "a/b"}]}, "key of token f220/token is 'a/b': expected one of keys"),
        ({"tokens": [{**NODE, "identity": "f220"}]}, "identity of token f220/token is 'f220': expected user@domain"),
        ({"tokens": [NODE, NODE]}, "path is 'f220/token': expected a path that no other key or token has"),
    ],
)
def test_a_bad_wish_is_one_sentence(
    run_module: RunModule, wish: dict[str, Any], tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    result = run_module("idtoken", **{**wish, **change})
    assert result["failed"]
    assert result["msg"].startswith(sentence)
    assert not (tmp_path / "pool").exists()
