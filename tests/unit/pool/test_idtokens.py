"""Tokens, against ones that condor_token_create of HTCondor 23.9.6 has made."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.pool.idtokens import (
    Claims,
    TokenError,
    new_key,
    new_token,
    read_token,
)

# condor_token_create -key flock -identity f220@flock.sips -authz READ -authz ADVERTISE_STARTD -authz ADVERTISE_MASTER
KEY = b"0123456789abcdef" * 4
TOKEN = (
    "eyJhbGciOiJIUzI1NiIsImtpZCI6ImZsb2NrIn0."
    "eyJpYXQiOjE3OTUzMTgwODAsImlzcyI6ImZsb2NrLnNpcHMiLCJqdGkiOiIyNGQ2ODU3OTUyYTNmMzQ1MTIyNTRkMzBlNGI0ZTQ5"
    "MCIsInNjb3BlIjoiY29uZG9yOlwvUkVBRCBjb25kb3I6XC9BRFZFUlRJU0VfU1RBUlREIGNvbmRvcjpcL0FEVkVSVElTRV9NQVNU"
    "RVIiLCJzdWIiOiJmMjIwQGZsb2NrLnNpcHMifQ."
    "HKBrhkYHHykUL09UWye1iztFo8RyKixDWQGLfdGRtQ4"
)
CLAIMS = Claims("f220@flock.sips", "flock.sips", "flock", ("READ", "ADVERTISE_STARTD", "ADVERTISE_MASTER"))


def test_a_token_of_htcondors_own_is_read() -> None:
    assert read_token(TOKEN + "\n", KEY) == (CLAIMS, "24d6857952a3f34512254d30e4b4e490")


@pytest.mark.parametrize("authorizations", [(), ("READ",), ("READ", "ADVERTISE_SCHEDD")])
def test_a_new_token_says_what_it_was_given(authorizations: tuple[str, ...]) -> None:
    claims = dataclasses.replace(CLAIMS, authorizations=authorizations)
    read, identifier = read_token(new_token(claims, KEY, issued=1), KEY)
    assert read == claims
    assert len(identifier) == 32


def test_no_two_tokens_or_keys_are_the_same() -> None:
    assert read_token(new_token(CLAIMS, KEY, 1), KEY)[1] != read_token(new_token(CLAIMS, KEY, 1), KEY)[1]
    assert new_key() != new_key()
    assert len(new_key()) == 64
    new_key().decode("ascii")


def test_another_keys_token_is_refused() -> None:
    with pytest.raises(TokenError, match="another key"):
        read_token(TOKEN, KEY + b"0")


def test_a_changed_token_is_refused() -> None:
    head, _body, signature = TOKEN.split(".")
    body = new_token(dataclasses.replace(CLAIMS, identity="f221@flock.sips"), KEY, 1).split(".")[1]
    with pytest.raises(TokenError, match="another key"):
        read_token(f"{head}.{body}.{signature}", KEY)


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "..", "e30.e30.e30", "\0.\0.\0", "é.é.é"])
def test_what_is_no_token_is_an_error(text: str) -> None:
    with pytest.raises(TokenError):
        read_token(text, KEY)
