# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTCondor's IDTOKENS: signing keys, and tokens signed by them. Pure functions, no file is touched.

A token is a JSON web token (RFC 7519) signed with HMAC-SHA256. Its key is derived (HKDF, RFC 5869) from the signing key,
which HTCondor keeps on disk XORed with a constant: src/condor_io/condor_auth_passwd.cpp (generate_token) and
src/condor_utils/store_cred.cpp (getTokenSigningKey). The key named POOL is treated differently there and is not supported here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any

_SCRAMBLE = bytes.fromhex("deadbeef")
_SALT = b"htcondor"
_INFO = b"master jwt"
_SCOPE = "condor:/"

#: Random bytes of a new signing key, the strength of SHA-256. The file holds them in hexadecimal and is text.
KEY_BYTES = 32


@dataclass(frozen=True)
class Claims:
    """What a token says: who the bearer is, to which trust domain, by which key, and what it may be used for."""

    identity: str
    trust_domain: str
    key_id: str
    authorizations: tuple[str, ...] = ()


class TokenError(ValueError):
    """The text is no token, or its signature is another key's."""


def new_key() -> bytes:
    """Return the content of a new signing key's file."""
    return secrets.token_hex(KEY_BYTES).encode()


def new_token(claims: Claims, key_file: bytes, issued: int) -> str:
    """Return a token signed by the key whose file has this content.

    Args:
        claims: what it says.
        key_file: content of the signing key's file.
        issued: now, in seconds since the epoch.
    """
    header = {"alg": "HS256", "kid": claims.key_id}
    payload: dict[str, Any] = {
        "iat": issued,
        "iss": claims.trust_domain,
        "jti": secrets.token_hex(16),
        "sub": claims.identity,
    }
    if claims.authorizations:
        payload["scope"] = " ".join(_SCOPE + name for name in claims.authorizations)
    signed = f"{_encode(_json(header))}.{_encode(_json(payload))}"
    return f"{signed}.{_encode(_signature(signed, key_file))}"


def read_token(token: str, key_file: bytes) -> tuple[Claims, str]:
    """Return what a token says, and its id, after checking its signature.

    Raises:
        TokenError: it is no token, or another key signed it.
    """
    try:
        head, body, signature = token.strip().split(".")
        header, payload = json.loads(_decode(head)), json.loads(_decode(body))
        matches = hmac.compare_digest(_decode(signature), _signature(f"{head}.{body}", key_file))
    except (ValueError, binascii.Error) as error:
        raise TokenError("this is no token") from error
    if not matches:
        raise TokenError("the token was signed by another key")
    scope = str(payload.get("scope", ""))
    claims = Claims(
        identity=str(payload.get("sub", "")),
        trust_domain=str(payload.get("iss", "")),
        key_id=str(header.get("kid", "")),
        authorizations=tuple(word[len(_SCOPE) :] for word in scope.split() if word.startswith(_SCOPE)),
    )
    return claims, str(payload.get("jti", ""))


def _signature(signed: str, key_file: bytes) -> bytes:
    return hmac.new(_derived(key_file), signed.encode(), hashlib.sha256).digest()


def _derived(key_file: bytes) -> bytes:
    key = bytes(byte ^ _SCRAMBLE[i % len(_SCRAMBLE)] for i, byte in enumerate(key_file))
    # One block of HKDF is all that 32 bytes need (RFC 5869, 2.3).
    extracted = hmac.new(_SALT, key, hashlib.sha256).digest()
    return hmac.new(extracted, _INFO + b"\x01", hashlib.sha256).digest()


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
