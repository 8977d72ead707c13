# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing keys and tokens as files below one directory."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..host.files import make_directory, remove_tree, write_file
from .idtokens import Claims, TokenError, new_key, new_token, read_token

#: What a token that does not exist yet has for an id in check mode.
NEW = "new"


@dataclass(frozen=True)
class WantedToken:
    """One token: its file, its key's file (both below the directory), and what it says."""

    path: str
    key: str
    identity: str
    scope: tuple[str, ...]

    def claims(self, trust_domain: str) -> Claims:
        """Return what the token has to say."""
        return Claims(self.identity, trust_domain, PurePosixPath(self.key).name, self.scope)


@dataclass(frozen=True)
class WantedSecrets:
    """All keys and tokens that shall be there."""

    trust_domain: str
    keys: tuple[str, ...]
    tokens: tuple[WantedToken, ...]
    keep: tuple[str, ...] = ()
    rotate: tuple[str, ...] = ()


def problem(wanted: WantedSecrets) -> str:
    """Return what is wrong with the wish, as one sentence; or an empty string."""
    ours = [*wanted.keys, *(token.path for token in wanted.tokens)]
    for path in (*ours, *wanted.keep):
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or len(pure.parts) < 2:
            return f"path is {path!r}: expected a file in a subdirectory of directory, as directory/file"
    for path in ours:
        if ours.count(path) > 1:
            return f"path is {path!r}: expected a path that no other key or token has"
    for key in wanted.keys:
        if PurePosixPath(key).name == "POOL":
            return f"keys has {key!r}: expected another name than POOL"
    for token in wanted.tokens:
        if token.key not in wanted.keys:
            return f"key of token {token.path} is {token.key!r}: expected one of keys"
        if token.identity.count("@") != 1:
            return f"identity of token {token.path} is {token.identity!r}: expected user@domain"
    for path in wanted.rotate:
        if path not in ours:
            return f"rotate has {path!r}: expected one of " + ", ".join(ours)
    return ""


@dataclass
class Secrets:
    """The files, as they are and as they shall be."""

    directory: Path
    wanted: WantedSecrets
    _new: dict[str, bytes] = field(default_factory=dict)
    _surplus: list[Path] = field(default_factory=list)
    _ids: dict[str, str] = field(default_factory=dict)
    _loose: list[Path] = field(default_factory=list)

    def plan(self) -> None:
        """Find out what is to be made and removed."""
        keys: dict[str, bytes] = {}
        for path in self.wanted.keys:
            content = b"" if path in self.wanted.rotate else self._read(path)
            if not content:
                content = self._new[path] = new_key()
            keys[path] = content
        for token in self.wanted.tokens:
            claims = token.claims(self.wanted.trust_domain)
            identifier = "" if token.path in self.wanted.rotate else self._id(token.path, keys[token.key], claims)
            if not identifier:
                text = new_token(claims, keys[token.key], int(time.time()))
                self._new[token.path] = text.encode() + b"\n"
                identifier = NEW
            self._ids[token.path] = identifier
        self._surplus = list(self._unwanted())
        self._loose = [path for path in self._present(self._ours()) if not _is_private(path)]

    @property
    def changed(self) -> bool:
        """Return whether anything is to be done."""
        return bool(self._new or self._surplus or self._loose)

    def write(self) -> None:
        """Make it so. A key comes before the tokens that it signed."""
        make_directory(self.directory, 0o700)
        for path in self._loose:
            path.chmod(0o600)
            os.chown(path, os.geteuid(), os.getegid())
        for name, content in self._new.items():
            target = self.directory / name
            for parent in reversed(PurePosixPath(name).parents[:-1]):
                make_directory(self.directory / parent, 0o700)
            write_file(target, content, 0o600)
        for path in self._surplus:
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink(missing_ok=True)
        for token in self.wanted.tokens:
            if token.path in self._new:
                key = self._new.get(token.key) or self._read(token.key)
                self._ids[token.path] = read_token(self._new[token.path].decode(), key)[1]

    def token_ids(self) -> dict[str, str]:
        """Return the tokens' ids by path."""
        return dict(self._ids)

    def describe(self) -> str:
        """Return what is there, without secrets."""
        lines = []
        for path in sorted(self._present(self._all_files())):
            name = str(path.relative_to(self.directory))
            lines.append(self._line(name, self._token_by_path().get(name), self._claims_there(name)))
        return "".join(lines)

    def describe_planned(self) -> str:
        """Return what will be there, without secrets."""
        kept = {str(path.relative_to(self.directory)) for path in self._present(self._all_files()) if not self._is_surplus(path)}
        tokens = self._token_by_path()
        lines = []
        for name in sorted(kept | set(self._new)):
            token = tokens.get(name)
            claims = token.claims(self.wanted.trust_domain) if token else None
            lines.append(self._line(name, token, claims, name in self._new))
        return "".join(lines)

    def _line(self, name: str, token: WantedToken | None, claims: Claims | None, new: bool = False) -> str:
        mark = " (new)" if new else ""
        if token is None:
            return f"{name}{mark}\n"
        if claims is None:
            return f"{name}: no token of this key{mark}\n"
        return f"{name}: {claims.identity} at {claims.trust_domain} for {' '.join(claims.authorizations) or 'everything'}{mark}\n"

    def _claims_there(self, name: str) -> Claims | None:
        token = self._token_by_path().get(name)
        if token is None:
            return None
        try:
            return read_token(self._read(name).decode(errors="replace"), self._read(token.key))[0]
        except TokenError:
            return None

    def _id(self, name: str, key: bytes, claims: Claims) -> str:
        try:
            there, identifier = read_token(self._read(name).decode(errors="replace"), key)
        except TokenError:
            return ""
        return identifier if there == claims else ""

    def _read(self, name: str) -> bytes:
        try:
            return (self.directory / name).read_bytes()
        except FileNotFoundError:
            return b""

    def _token_by_path(self) -> dict[str, WantedToken]:
        return {token.path: token for token in self.wanted.tokens}

    def _ours(self) -> list[Path]:
        return [self.directory / name for name in (*self.wanted.keys, *(token.path for token in self.wanted.tokens))]

    def _all_files(self) -> list[Path]:
        # Files directly in the directory are other roles'.
        return [path for path in self.directory.glob("*/**/*") if not path.is_dir()]

    def _present(self, paths: Iterable[Path]) -> list[Path]:
        return [path for path in paths if path.is_file()]

    def _unwanted(self) -> Iterable[Path]:
        wanted = {*self._ours(), *(self.directory / name for name in self.wanted.keep)}
        parents = {parent for path in wanted for parent in path.parents}
        for path in sorted(self.directory.glob("*/")) if self.directory.is_dir() else []:
            if not path.is_dir():
                continue
            if path not in parents:
                yield path
                continue
            yield from self._unwanted_below(path, wanted, parents)

    def _unwanted_below(self, directory: Path, wanted: set[Path], parents: set[Path]) -> Iterable[Path]:
        for path in sorted(directory.iterdir()):
            if path in wanted:
                continue
            if path in parents:
                yield from self._unwanted_below(path, wanted, parents)
            else:
                yield path

    def _is_surplus(self, path: Path) -> bool:
        return any(path == gone or gone in path.parents for gone in self._surplus)


def _is_private(path: Path) -> bool:
    """Whether nobody but who runs this, root as a rule, owns and reads it."""
    status = path.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077
